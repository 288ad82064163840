import os
import subprocess
import sys

import pytest

from eventhub.brokers.secrets import keys
from eventhub.running import checks
from tests.services.product import ROOT


def ids(messages):
    return [message.id for message in messages]


@pytest.mark.parametrize(
    ("check", "setting", "value", "id"),
    [
        (checks.check_secret_key, "SECRET_KEY", "", "eventhub.E001"),
        (checks.check_addresses, "REDIS_URL", "http://redis", "eventhub.E003"),
        (checks.check_addresses, "REDIS_URL", "localhost:6379", "eventhub.E003"),
        (checks.check_addresses, "CELERY_BROKER_URL", "kafka://x", "eventhub.E004"),
        (checks.check_ingest, "INGEST_BATCH_SIZE", 0, "eventhub.E005"),
        (checks.check_ingest, "INGEST_BATCH_SIZE", 10**6, "eventhub.E005"),
        (checks.check_ingest, "INGEST_MAX_BODY_BYTES", 10, "eventhub.E006"),
        (checks.check_ingest, "INGEST_MAX_BODY_BYTES", 10**9, "eventhub.W006"),
        (checks.check_log_format, "LOG_FORMAT", "xml", "eventhub.E011"),
        (checks.check_retention, "EVENT_RETENTION_DAYS", -1, "eventhub.E007"),
        (checks.check_secrets_keys, "SECRETS_KEYS", ["correct horse battery staple"], "eventhub.E009"),
        (checks.check_secrets_have_a_key, "SECRETS_KEYS", [], "eventhub.W009"),
        (checks.check_adapters, "BROKER_ADAPTERS", {"x": "eventhub.brokers.nowhere.X"}, "eventhub.E008"),
        (checks.check_adapters, "BROKER_ADAPTERS", {"x": "nowhere.at.all.X"}, "eventhub.E008"),
    ],
)
def test_a_bad_setting_is_found_and_the_hint_says_what_to_do(settings, check, setting, value, id):
    setattr(settings, setting, value)
    found = check()
    assert ids(found) == [id]
    assert found[0].hint


@pytest.mark.parametrize("url", ["redis://h/0", "rediss://h/0", "amqp://u:p@h:5672//", "amqps://h//"])
def test_celery_runs_over_redis_and_over_rabbitmq(settings, url):
    settings.CELERY_BROKER_URL = url
    assert checks.check_addresses() == []


def manage(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_empty_secret_key_is_told_with_a_way_to_make_one():
    done = manage("check", SECRET_KEY="")
    assert done.returncode == 1
    assert "eventhub.E001" in done.stderr
    assert "secrets.token_urlsafe" in done.stderr


def test_a_database_other_than_postgresql_is_refused():
    done = manage("check", DATABASE_URL="sqlite:///events.db")
    assert "eventhub.E002" in done.stderr
    assert "PostgreSQL" in done.stderr


def test_a_production_configuration_has_no_findings():
    done = manage(
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        HTTPS="1",
        SECRET_KEY="k" * 25 + "abcdefgh" * 4,
        SECRETS_KEYS=keys.new_key(),
    )
    assert done.returncode == 0, done.stderr


def test_rabbitmq_as_celerys_broker_reaches_celery():
    done = manage(
        "shell",
        "-c",
        "from eventhub.celery import app; c = app.connection_for_write(); "
        "print(c.transport_cls, c.hostname, app.conf.broker_transport_options)",
        CELERY_BROKER_URL="amqp://user:pass@rabbit.example:5672//",
    )
    assert "amqp rabbit.example {" in done.stdout, done.stderr
    assert "visibility_timeout" not in done.stdout  # nor anything else that only Redis understands
    assert "global_keyprefix" not in done.stdout
