"""Secrets at rest: JSON, encrypted with the keys of ``SECRETS_KEYS`` (Fernet: AES-128-CBC with HMAC-SHA256).

The first key encrypts, all of them decrypt: so a new key is put first, `manage.py rotate_secrets` goes over what there
is, and the old key is dropped. Without any, a key is derived from ``SECRET_KEY``; derived ones always decrypt, so that
nothing is lost when the first key of its own is set.
"""

import base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

# Whoever derives another key from SECRET_KEY gets another one.
PURPOSE = b"eventhub: secrets of sources"


class Unreadable(Exception):
    """No key of this installation decrypts it: the key was lost, or the text was changed."""


class BadKey(ValueError):
    """A key of SECRETS_KEYS is not one. The text says what a key looks like."""


def encrypt(secrets: Mapping[str, Any]) -> str:
    """`secrets` (JSON values) as a text to store; empty for none. Raises BadKey."""
    return _keyring().encrypt(msgspec.json.encode(secrets)).decode() if secrets else ""


def decrypt(text: str) -> dict[str, Any]:
    """What `encrypt` was given. Raises Unreadable, BadKey."""
    if not text:
        return {}
    try:
        return msgspec.json.decode(_keyring().decrypt(text.encode()), type=dict[str, Any])
    except (InvalidToken, msgspec.DecodeError) as error:
        raise Unreadable from error


def rotate(text: str) -> str:
    """The same secrets, encrypted with the first key. Raises Unreadable, BadKey."""
    try:
        return _keyring().rotate(text.encode()).decode() if text else ""
    except InvalidToken as error:
        raise Unreadable from error


def new_key() -> str:
    """A random key for SECRETS_KEYS."""
    return Fernet.generate_key().decode()


def check(key: str) -> None:
    """Raises BadKey when `key` cannot stand in SECRETS_KEYS."""
    try:
        Fernet(key)
    except ValueError as error:
        raise BadKey(
            "A key of SECRETS_KEYS is not 32 bytes in URL-safe base64. "
            "To make one: python manage.py rotate_secrets --new-key"
        ) from error


def _keyring() -> MultiFernet:
    fallbacks = getattr(settings, "SECRET_KEY_FALLBACKS", ())
    return _make_keyring(tuple(settings.SECRETS_KEYS), (settings.SECRET_KEY, *fallbacks))


@lru_cache(maxsize=4)
def _make_keyring(keys: tuple[str, ...], secret_keys: tuple[str, ...]) -> MultiFernet:
    for key in keys:
        check(key)
    return MultiFernet([*map(Fernet, keys), *(Fernet(_derived(key)) for key in secret_keys)])


def _derived(secret_key: str) -> bytes:
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE)
    return base64.urlsafe_b64encode(derive.derive(secret_key.encode()))
