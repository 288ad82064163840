"""Checks of the configuration: each mistake named before it hurts, with what to do about it.

They run with every ``manage.py`` command that touches the system and with ``manage.py check``; they read settings
only and connect to nothing.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured

from eventhub.running.logs import FORMATS

REDIS_SCHEMES = {"redis", "rediss", "unix"}
BROKER_SCHEMES = {"redis", "rediss", "amqp", "amqps", "pyamqp"}
BATCH_SIZES = range(1, 50_001)
MEGABYTE = 1024 * 1024


def connect() -> None:
    """Register the checks with Django."""
    from eventhub.running.connections import check_connections  # needs the models

    register(check_connections, Tags.database)
    register(check_secret_key, Tags.security)
    register(check_secrets_keys, Tags.security)
    register(check_default_role, Tags.security)
    register(check_secrets_have_a_key, Tags.security, deploy=True)
    for check in (
        check_database,
        check_addresses,
        check_ingest,
        check_retention,
        check_adapters,
        check_log_format,
    ):
        register(check)


def check_default_role(app_configs: Any = None, **kwargs: Any) -> Sequence[CheckMessage]:
    """What accounts without a role may do."""
    if settings.DEFAULT_ROLE in ("", "viewer", "operator", "editor"):
        return []
    return [
        Error(
            f"DEFAULT_ROLE is {settings.DEFAULT_ROLE!r}: no role that an account may have by itself.",
            hint="Set it to viewer, operator or editor, or to nothing: accounts without a role may do nothing then.",
            id="eventhub.E010",
        )
    ]


def check_log_format(app_configs: Any = None, **kwargs: Any) -> Sequence[CheckMessage]:
    """Lines for people, or JSON."""
    if settings.LOG_FORMAT in FORMATS:
        return []
    return [
        Error(
            f"LOG_FORMAT is {settings.LOG_FORMAT!r}.",
            hint="Set it to text, for people, or to json: one object a line, for what collects logs.",
            id="eventhub.E011",
        )
    ]


def check_secret_key(app_configs: Any = None, **kwargs: Any) -> Sequence[CheckMessage]:
    """Sessions and CSRF tokens are signed with it."""
    try:
        settings.SECRET_KEY  # noqa: B018 - reading an empty one raises
    except ImproperlyConfigured:
        return [
            Error(
                "SECRET_KEY is empty.",
                hint="Set SECRET_KEY to a long random text that stays the same, or run `manage.py up`, which makes "
                'one. To make one: python -c "import secrets; print(secrets.token_urlsafe(50))"',
                id="eventhub.E001",
            )
        ]
    return []


def check_secrets_keys(app_configs: Any = None, **kwargs: Any) -> Sequence[CheckMessage]:
    """The secrets of sources are encrypted with them."""
    from eventhub.brokers.secrets import keys

    found: list[CheckMessage] = []
    for number, key in enumerate(settings.SECRETS_KEYS, 1):
        try:
            keys.check(key)
        except keys.BadKey:
            found.append(
                Error(
                    f"Key {number} of SECRETS_KEYS is not a key: it should be 32 bytes in URL-safe base64.",
                    hint="To make one: python manage.py rotate_secrets --new-key",
                    id="eventhub.E009",
                )
            )
    return found


def check_secrets_have_a_key(app_configs: Any = None, **kwargs: Any) -> Sequence[CheckMessage]:
    """In production they want a key of their own, so that SECRET_KEY can be changed without losing them."""
    if settings.SECRETS_KEYS:
        return []
    return [
        Warning(
            "SECRETS_KEYS is empty: the passwords of sources are encrypted with a key made from SECRET_KEY. Whoever "
            "changes SECRET_KEY has to enter them again.",
            hint="Set SECRETS_KEYS to what `python manage.py rotate_secrets --new-key` prints, keep a copy of it "
            "apart from the backups, then run `python manage.py rotate_secrets`.",
            id="eventhub.W009",
        )
    ]


def check_database(app_configs: Any = None, **kwargs: Any) -> Sequence[CheckMessage]:
    """Only PostgreSQL has what the event store needs."""
    engine = settings.DATABASES["default"].get("ENGINE", "")
    if engine == "django.db.backends.postgresql":
        return []
    return [
        Error(
            f"DATABASE_URL leads to {engine or 'no database'}; EventHub stores events in PostgreSQL.",
            hint="Use an address such as postgresql://user:password@host:5432/eventhub",
            id="eventhub.E002",
        )
    ]


def check_addresses(app_configs: Any = None, **kwargs: Any) -> Sequence[CheckMessage]:
    """Addresses of Redis and of Celery's broker."""
    return [
        *_scheme("REDIS_URL", settings.REDIS_URL, REDIS_SCHEMES, "redis://host:6379/0", "eventhub.E003"),
        *_scheme(
            "CELERY_BROKER_URL",
            settings.CELERY_BROKER_URL,
            BROKER_SCHEMES,
            "redis://host:6379/0 or amqp://user:password@host:5672//",
            "eventhub.E004",
        ),
    ]


def check_ingest(app_configs: Any = None, **kwargs: Any) -> Sequence[CheckMessage]:
    """Sizes that bound the memory of an ingest worker."""
    messages: list[CheckMessage] = []
    size = settings.INGEST_BATCH_SIZE
    if size not in BATCH_SIZES:
        messages.append(
            Error(
                f"INGEST_BATCH_SIZE is {size}.",
                hint=f"Set it between {BATCH_SIZES[0]} and {BATCH_SIZES[-1]}; 5000 suits most. A worker holds two "
                "batches in memory.",
                id="eventhub.E005",
            )
        )
    body = settings.INGEST_MAX_BODY_BYTES
    if body < 1024:
        messages.append(
            Error(
                f"INGEST_MAX_BODY_BYTES is {body}: hardly any event is that small.",
                hint="Set it to the largest event you expect, in bytes; the default is 5242880 (5 MB).",
                id="eventhub.E006",
            )
        )
    elif body > 100 * MEGABYTE:
        messages.append(
            Warning(
                f"INGEST_MAX_BODY_BYTES is {body // MEGABYTE} MB; a batch of such events may not fit in memory.",
                hint="Lower it, or lower INGEST_BATCH_SIZE with it.",
                id="eventhub.W006",
            )
        )
    return messages


def check_retention(app_configs: Any = None, **kwargs: Any) -> Sequence[CheckMessage]:
    """How long events are kept."""
    days = settings.EVENT_RETENTION_DAYS
    if days >= 0:
        return []
    return [
        Error(
            f"EVENT_RETENTION_DAYS is {days}.",
            hint="Set the number of days to keep events, or 0 to keep them for ever.",
            id="eventhub.E007",
        )
    ]


def check_adapters(app_configs: Any = None, **kwargs: Any) -> Sequence[CheckMessage]:
    """Every kind of broker leads to a module that is there."""
    return [
        Error(
            f"BROKER_ADAPTERS[{kind!r}] names {path!r}, whose module cannot be found.",
            hint="Correct the path, install the package that holds it, or remove the entry.",
            id="eventhub.E008",
        )
        for kind, path in settings.BROKER_ADAPTERS.items()
        if not _module_exists(path.rpartition(".")[0])
    ]


def _scheme(name: str, url: str, allowed: set[str], example: str, id: str) -> list[CheckMessage]:
    scheme = urlsplit(url).scheme
    if scheme in allowed:
        return []
    said = f"begins with {scheme}://" if scheme else "has no scheme"
    return [
        Error(
            f"{name} {said}; it should begin with one of: {', '.join(sorted(f'{s}://' for s in allowed))}.",
            hint=f"For example {example}",
            id=id,
        )
    ]


def _module_exists(name: str) -> bool:
    try:
        return bool(name) and find_spec(name) is not None
    except ModuleNotFoundError:
        return False
