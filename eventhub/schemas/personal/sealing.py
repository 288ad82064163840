"""Personal fields encrypted at rest: sealed when an event is read from its broker, opened for those who may see them.

Stored events cannot be changed, so a key of theirs cannot be either. Each month of occurrence has a key of its own
(AES-SIV, RFC 5297), which is kept as the secrets of sources are: encrypted with the keys of ``SECRETS_KEYS``, and
encrypted anew by `manage.py rotate_secrets`. Deleting a month's key makes its personal fields unreadable for ever: the
only way to delete something from an append-only store.

The same value of the same event is sealed alike each time, so that a redelivered event is known to be the same.
"""

import base64
from hashlib import blake2b
from time import monotonic
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from eventhub.brokers.secrets import keys
from eventhub.events.envelope import Event
from eventhub.events.queries import StoredEvent
from eventhub.schemas.models import PersonalKey
from eventhub.schemas.personal.paths import MASK, Steps, replaced

# How a sealed value begins: it is a text, whatever it was before.
PREFIX = "sealed:1:"
LOOK_FOR_CHANGES_EVERY_S = 3.0
_NONCE_BYTES = 16


class _Keys:
    """The keys of all months, looked up again every few seconds: one may have been deleted elsewhere."""

    def __init__(self) -> None:
        self._ciphers: dict[str, AESSIV] = {}
        self._look_at = 0.0

    def find(self, month: str) -> AESSIV | None:
        """The key of a month, None where there is none (any more) that can be read."""
        if monotonic() >= self._look_at:
            self._load()
        return self._ciphers.get(month)

    def make(self, month: str) -> AESSIV:
        """The key of a month, made where there is none. Raises keys.Unreadable when the one there is cannot be read."""
        if (known := self.find(month)) is not None:
            return known
        secrets = keys.encrypt({"key": base64.b64encode(AESSIV.generate_key(512)).decode()})
        row, _ = PersonalKey.objects.get_or_create(name=month, defaults={"secrets": secrets})
        try:
            self._ciphers[month] = _cipher(row.secrets)
        except keys.Unreadable as error:
            raise keys.Unreadable(
                f"The key of the personal data of {month} cannot be read with the keys of SECRETS_KEYS. Put back the "
                "one that it was encrypted with."
            ) from error
        return self._ciphers[month]

    def forget(self) -> None:
        """Look again at the next need."""
        self._look_at = 0.0

    def _load(self) -> None:
        found = {}
        for month, secrets in PersonalKey.objects.values_list("name", "secrets"):
            try:
                found[month] = _cipher(secrets)
            except keys.Unreadable:
                continue
        self._ciphers, self._look_at = found, monotonic() + LOOK_FOR_CHANGES_EVERY_S


known_keys = _Keys()


def sealed(event: Event, data: Any, paths: list[Steps]) -> Any:
    """The data of `event` with these fields encrypted. Raises keys.Unreadable when the month's key cannot be read."""
    month = f"{event.occurred_at:%Y-%m}"
    count = 0

    def seal(value: Any) -> Any:
        nonlocal count
        if isinstance(value, str) and value.startswith(PREFIX):
            return value
        count += 1
        nonce = blake2b(f"{event.event_id}\x1f{count}".encode(), digest_size=_NONCE_BYTES).digest()
        text = known_keys.make(month).encrypt(msgspec.json.encode(value), [nonce])
        return f"{PREFIX}{month}:{base64.urlsafe_b64encode(nonce + text).decode()}"

    return replaced(data, paths, seal)


def opened(event: StoredEvent) -> StoredEvent:
    """The event as its producer sent it, for code that reads it and for people who may see personal data."""
    if event.data is None or PREFIX not in event.data:
        return event
    data = msgspec.json.encode(opened_data(event.value)).decode()
    return msgspec.structs.replace(event, data=data)


def opened_data(data: Any) -> Any:
    """Data with what is sealed in it opened; with a mask where nobody can read it any more."""
    return _over(data, _open)


def covered_data(data: Any) -> Any:
    """Data with a mask over what is sealed in it, also where its field is marked no longer."""
    return _over(data, lambda text: MASK)


def _over(data: Any, change: Any) -> Any:
    if isinstance(data, str):
        return change(data) if data.startswith(PREFIX) else data
    if isinstance(data, dict):
        return {name: _over(value, change) for name, value in data.items()}
    if isinstance(data, list):
        return [_over(value, change) for value in data]
    return data


def _open(text: str) -> Any:
    month, _, rest = text.removeprefix(PREFIX).partition(":")
    cipher = known_keys.find(month)
    if cipher is None:
        return MASK
    try:
        packed = base64.urlsafe_b64decode(rest)
        return msgspec.json.decode(cipher.decrypt(packed[_NONCE_BYTES:], [packed[:_NONCE_BYTES]]))
    except (ValueError, InvalidTag, msgspec.DecodeError):
        return MASK


def _cipher(secrets: str) -> AESSIV:
    return AESSIV(base64.b64decode(keys.decrypt(secrets)["key"]))
