"""Django settings, read from the environment.

Three addresses decide where EventHub runs: ``DATABASE_URL``, ``REDIS_URL`` and ``CELERY_BROKER_URL``. Where
one is missing, the file ``$VAR_DIR/environment`` fills it in: ``manage.py up`` writes it for the PostgreSQL and
Redis that it starts itself (see ``eventhub/running/``).
"""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import dj_database_url
import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured

from eventhub.running.environment import read_environment

django_stubs_ext.monkeypatch()  # lets generic Django classes be written with their type at run time

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("VAR_DIR", BASE_DIR / "var")).resolve()

_env = {**read_environment(VAR_DIR), **os.environ}


def _flag(name: str, default: bool) -> bool:
    return _env.get(name, "1" if default else "0").strip().lower() in {"1", "true", "yes", "on"}


def _list(name: str, default: str = "") -> list[str]:
    return [item.strip() for item in _env.get(name, default).split(",") if item.strip()]


def _number(name: str, default: int) -> int:
    text = _env.get(name, "").strip() or str(default)
    try:
        return int(text)
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} is {text!r}; set it to a whole number, such as {default}."
        ) from None


def _json(name: str) -> object:
    text = _env.get(name, "").strip()
    try:
        return json.loads(text) if text else None
    except ValueError:
        raise ImproperlyConfigured(f"{name} is no JSON: {text!r}.") from None


# -- What this installation is ------------------------------------------------------------------

DEBUG = _flag("DEBUG", False)
SECRET_KEY = _env.get("SECRET_KEY", "")  # eventhub.running.checks explains what to do when it is empty
SECRETS_KEYS = _list("SECRETS_KEYS")  # encrypt the secrets of sources; see eventhub/brokers/secrets/keys.py
ENVIRONMENT_NAME = _env.get("ENVIRONMENT_NAME", "local")
ALLOWED_HOSTS = _list("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = _list("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "eventhub.pages",
    "eventhub.access.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "axes",
    "ninja",
    "channels",
    "eventhub.access",
    "eventhub.events",
    "eventhub.schemas",
    "eventhub.brokers",
    "eventhub.outbox",
    "monitoring.rollups",
    "dlq",
    "eventhub.handlers",
    "eventhub.sourcing",
    "eventhub.sagas",
    "eventhub.traces",
    "monitoring",
    "monitoring.review",
    "eventhub.ingest",
    "eventhub.sources",
    "eventhub.welcome",
    "eventhub.demo",
    "eventhub.running",
]

MIDDLEWARE = [
    "eventhub.telemetry.middleware.named",
    "eventhub.telemetry.middleware.traced",
    "django.middleware.security.SecurityMiddleware",
    "eventhub.pages.middleware.content_security_policy",
    "eventhub.pages.compressing.compressed",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "eventhub.pages.middleware.login_for_htmx",
    "eventhub.access.middleware.Roles",
    "eventhub.pages.middleware.SlowQuery",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "eventhub.urls"
ASGI_APPLICATION = "eventhub.asgi.application"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
# Single sign-on (docs/access.md): on when OIDC_ISSUER and OIDC_CLIENT_ID are set.
OIDC_ISSUER = _env.get("OIDC_ISSUER", "").strip()
OIDC_RP_CLIENT_ID = _env.get("OIDC_CLIENT_ID", "").strip()
OIDC_RP_CLIENT_SECRET = _env.get("OIDC_CLIENT_SECRET", "")
OIDC_RP_SCOPES = _env.get("OIDC_SCOPES", "openid email profile")
OIDC_RP_SIGN_ALGO = _env.get("OIDC_SIGN_ALGORITHM", "RS256")
OIDC_GROUPS_CLAIM = _env.get("OIDC_GROUPS_CLAIM", "groups")
OIDC_ROLES: dict[str, str] = _json("OIDC_ROLES") or {}  # type: ignore[assignment]  # a check looks at it
OIDC_ROLES_NEEDED = _flag("OIDC_ROLES_NEEDED", False)
OIDC_LABEL = _env.get("OIDC_LABEL", "single sign-on")
OIDC_AUTHENTICATION_CALLBACK_URL = "sso-callback"
OIDC_USE_PKCE = True
OIDC_TIMEOUT = 10
if OIDC_ISSUER:
    AUTHENTICATION_BACKENDS.append("eventhub.access.single_sign_on.SignOnBackend")
# Who enters so many wrong passwords for a name, from one address, waits (docs/access.md).
AXES_FAILURE_LIMIT = _number("LOGIN_ATTEMPTS", 5)
AXES_COOLOFF_TIME = timedelta(minutes=_number("LOGIN_WAIT_MINUTES", 15))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "eventhub.access.throttling.locked_out"
AXES_VERBOSE = False
API_RATE_LIMIT = _number("API_RATE_LIMIT", 6000)  # requests a minute of one token or person; 0: no limit
INGEST_RATE_LIMIT = _number("INGEST_RATE_LIMIT", 60_000)  # the same for requests that send events
LOGIN_URL = "login"
# What an account without a role may do: viewer, or empty for nothing (docs/access.md).
DEFAULT_ROLE = _env.get("DEFAULT_ROLE", "viewer").strip()
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "eventhub.pages.context.shell",
            ],
            "builtins": ["eventhub.pages.templatetags.show"],
        },
    }
]

# -- PostgreSQL ---------------------------------------------------------------------------------

DATABASES = {
    "default": dj_database_url.parse(
        _env.get("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/eventhub")
    )
}
DATABASE_POOL_SIZE = _number("DATABASE_POOL_SIZE", 12)
# A page or an answer of the API that takes longer is given up, in words; 0: none is.
WEB_STATEMENT_TIMEOUT_S = _number("WEB_STATEMENT_TIMEOUT_S", 20)
# How many processes run, for the check of the server's connections.
WEB_PROCESSES = _number("WEB_PROCESSES", 1)
INGEST_WORKERS = _number("INGEST_WORKERS", 1)
TASK_WORKERS = _number("TASK_WORKERS", 1)
TASK_CONCURRENCY = _number("TASK_CONCURRENCY", 2)
if _flag("DATABASE_POOL", False):
    # Only the web process: its requests run on many threads. A worker's loops own one connection each.
    _options = DATABASES["default"].setdefault("OPTIONS", {})
    _options["pool"] = {"min_size": 2, "max_size": DATABASE_POOL_SIZE, "timeout": 10}
    if WEB_STATEMENT_TIMEOUT_S:
        _limit = f"-c statement_timeout={WEB_STATEMENT_TIMEOUT_S * 1000}"
        _options["options"] = f"{_options.get('options', '')} {_limit}".strip()
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 600
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- Redis, Channels, Celery --------------------------------------------------------------------

REDIS_URL = _env.get("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "eventhub.running.cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "eventhub",
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "eventhub:live"},
    }
}

CELERY_BROKER_URL = _env.get("CELERY_BROKER_URL") or REDIS_URL
CELERY_TASK_DEFAULT_QUEUE = "tasks"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Who sends a task waits for a broker that is down a moment only: every task's work is in rows that a sweep finds.
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.2,
}
if CELERY_BROKER_URL.startswith(("redis", "valkey")):
    CELERY_BROKER_TRANSPORT_OPTIONS |= {"global_keyprefix": "eventhub:celery:", "visibility_timeout": 3600}
    # Without these, who sends a task to a Redis that hangs would wait for ever, with the events it has in hand.
    CELERY_BROKER_TRANSPORT_OPTIONS |= {"socket_timeout": 4.0, "socket_connect_timeout": 2.0}
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sample-lag": {"task": "monitoring.sample_lag", "schedule": 5.0, "options": {"expires": 5}},
    "watch-brokers": {"task": "monitoring.watch_brokers", "schedule": 5.0, "options": {"expires": 5}},
    "alert": {"task": "monitoring.alert", "schedule": 5.0, "options": {"expires": 5}},
    "note-versions": {"task": "monitoring.note_versions", "schedule": 10.0, "options": {"expires": 10}},
    "merge-rollups": {"task": "rollups.merge", "schedule": 60.0, "options": {"expires": 60}},
    "prune-rollups": {"task": "rollups.prune", "schedule": 3600.0},
    "thin-lag-history": {"task": "monitoring.thin_history", "schedule": 3600.0},
    "prepare-partitions": {"task": "events.prepare_partitions", "schedule": 3600.0},
    "drive-retry-jobs": {"task": "dlq.drive_jobs", "schedule": 2.0, "options": {"expires": 2}},
    "sweep-handlers": {"task": "handlers.sweep", "schedule": 1.0, "options": {"expires": 2}},
    "settle-group-rules": {"task": "dlq.settle_rules", "schedule": 5.0, "options": {"expires": 5}},
    "drop-old-dead-letters": {"task": "dlq.drop_old", "schedule": 3600.0},
    "merge-dead-letter-counts": {"task": "dlq.merge_counts", "schedule": 60.0, "options": {"expires": 60}},
    "drop-old-events": {"task": "events.drop_old", "schedule": 3600.0},
    "follow-projections": {"task": "sourcing.follow", "schedule": 1.0, "options": {"expires": 2}},
    "advance-replays": {"task": "sourcing.replay", "schedule": 2.0, "options": {"expires": 2}},
    "drive-sagas": {"task": "sagas.drive", "schedule": 1.0, "options": {"expires": 2}},
    "prune-handlers": {"task": "handlers.prune", "schedule": 3600.0},
    "learn-flow": {"task": "traces.learn", "schedule": 2.0, "options": {"expires": 2}},
    "watch-processes": {"task": "traces.watch_processes", "schedule": 2.0, "options": {"expires": 2}},
    "fill-attributes": {"task": "traces.fill_attributes", "schedule": 5.0, "options": {"expires": 5}},
    "thin-flow": {"task": "traces.thin_flow", "schedule": 60.0, "options": {"expires": 60}},
    "forget-traces": {"task": "traces.forget", "schedule": 3600.0},
    "review": {"task": "review.run", "schedule": 15.0, "options": {"expires": 15}},
    "drop-old-audit": {"task": "access.drop_old_audit", "schedule": 3600.0},
    "prune-outbox": {"task": "outbox.prune", "schedule": 3600.0},
}

# -- EventHub -----------------------------------------------------------------------------------

# How an adapter is found: the Source's kind -> the class that speaks to that broker.
BROKER_ADAPTERS = {
    "kafka": "eventhub.brokers.kafka.adapter.Kafka",
    "sqs": "eventhub.brokers.sqs.adapter.Sqs",
    "redis": "eventhub.brokers.redis_streams.RedisStreams",
    "outbox": "eventhub.outbox.adapter.Outbox",
    "rabbitmq": "eventhub.brokers.rabbitmq.adapter.RabbitMQ",
}
EVENT_HANDLERS = _list("EVENT_HANDLERS")  # modules with handlers, beside handlers.py of the installed apps
PUBLIC_URL = _env.get("PUBLIC_URL", "")  # where people reach this installation; links in alerts begin with it
# How long closed dead letters are kept; 0 keeps them for ever.
DEAD_LETTER_RETENTION_DAYS = _number("DEAD_LETTER_RETENTION_DAYS", 0)
AUDIT_RETENTION_DAYS = _number("AUDIT_RETENTION_DAYS", 0)  # 0 keeps every entry for ever
EDITS_NEED_APPROVAL = _flag("EDITS_NEED_APPROVAL", False)  # of dead letters, by a second person
EVENT_RETENTION_DAYS = _number("EVENT_RETENTION_DAYS", 0)  # 0 keeps every event for ever
DATABASE_DISK_GB = _number("DATABASE_DISK_GB", 0)  # how large its disk is; 0: looked up where it is embedded
ROLLUP_RETENTION_DAYS = _number("ROLLUP_RETENTION_DAYS", 0)  # 0 keeps figures for ever
OUTBOX_TARGET = _json("OUTBOX_TARGET")  # where `manage.py outbox relay` publishes (docs/outbox.md)
HANDLER_HISTORY_DAYS = _number("HANDLER_HISTORY_DAYS", 30)  # 0 keeps every attempt for ever
INGEST_BATCH_SIZE = _number("INGEST_BATCH_SIZE", 5000)
INGEST_MAX_BODY_BYTES = _number("INGEST_MAX_BODY_BYTES", 5 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = _number("HTTP_MAX_BODY_BYTES", 16 * 1024 * 1024)

# -- E-mail (alerts) ----------------------------------------------------------------------------

EMAIL_HOST = _env.get("EMAIL_HOST", "localhost")
EMAIL_PORT = _number("EMAIL_PORT", 25)
EMAIL_HOST_USER = _env.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = _env.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = _flag("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _flag("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = _env.get("DEFAULT_FROM_EMAIL", "eventhub@localhost")

# -- Where it connects to, when people say where (docs/operations.md) ----------------------------

OUTGOING_ALLOW = _list("OUTGOING_ALLOW")  # networks and host names that are allowed although they are private
OUTGOING_PRIVATE = _flag("OUTGOING_PRIVATE", not _flag("HTTPS", False))

# -- What the browser gets ----------------------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/vendor/[^/]+@[^/]+/"  # the version is in the path

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
DATE_FORMAT, TIME_FORMAT, DATETIME_FORMAT = "Y-m-d", "H:i:s", "Y-m-d H:i:s"
USE_TZ = True

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# HTTPS=1 says that browsers reach this installation through TLS.
_https = _flag("HTTPS", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SECURE_SSL_REDIRECT = _https
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _flag("BEHIND_PROXY", False) else None
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
X_FRAME_OPTIONS = "DENY"

LOG_FORMAT = _env.get("LOG_FORMAT", "text").strip().lower()  # text for people, json for machines
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {
            "()": "eventhub.running.logs.Lines",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        },
        "json": {"()": "eventhub.running.logs.Json"},
    },
    "filters": {"bound": {"()": "eventhub.running.logs.Bound"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json" if LOG_FORMAT == "json" else "text",
            "filters": ["bound"],
            "stream": sys.stderr,
        }
    },
    "root": {"handlers": ["stderr"], "level": _env.get("LOG_LEVEL", "INFO")},
    "loggers": {
        "uvicorn.access": {"level": "WARNING"},
        # A line for each request, with LOG_REQUESTS=1.
        "eventhub.requests": {"level": "INFO" if _flag("LOG_REQUESTS", False) else "WARNING"},
        "django.request": {"level": "ERROR"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
