"""A source's secrets: encrypted when it is saved, there for the adapter, never told."""

import importlib
import io
import logging

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from eventhub.access.models import AuditEntry
from eventhub.brokers.adapter import BadConfig, BrokerError
from eventhub.brokers.config import KafkaConfig, read_config
from eventhub.brokers.models import Kind, Source
from eventhub.brokers.secrets import keeping, keys, scrubbing
from eventhub.ingest.supervisor import Supervisor

PASSWORD = "vErY-pRiVaTe"
CONFIG = {"bootstrap_servers": "k:9092", "topics": ["orders"], "username": "ann", "password": PASSWORD}


@pytest.fixture
def kafka(db) -> Source:
    return Source.objects.create(name="shop", kind=Kind.KAFKA, config=dict(CONFIG))


@pytest.mark.django_db
def test_a_saved_source_holds_its_secrets_encrypted_only(kafka):
    row = Source.objects.filter(pk=kafka.pk).values().get()
    assert PASSWORD not in repr(row)
    assert row["secrets"]
    assert row["config"] == {"bootstrap_servers": "k:9092", "topics": ["orders"], "username": "ann"}


@pytest.mark.django_db
def test_the_adapter_sees_the_whole_config(kafka):
    config = read_config(Source.objects.get(), KafkaConfig)
    assert (config.username, config.password) == ("ann", PASSWORD)


def test_a_source_that_is_not_saved_yet_can_be_read_as_well():
    assert read_config(Source(name="new", kind=Kind.KAFKA, config=CONFIG), KafkaConfig).password == PASSWORD


@pytest.mark.django_db
def test_a_change_of_anything_else_leaves_the_secrets_as_they_are(kafka):
    before = kafka.secrets
    again = Source.objects.get()
    again.config["topics"] = ["orders", "payments"]
    again.save()
    again.config["password"] = PASSWORD  # entered again, and the same
    again.save(update_fields=["config"])
    again.paused = True
    again.save(update_fields=["paused"])
    assert Source.objects.get().secrets == before
    assert read_config(Source.objects.get(), KafkaConfig).password == PASSWORD


@pytest.mark.django_db
def test_a_new_secret_replaces_the_old_one(kafka):
    kafka.config["password"] = "another-one"
    kafka.save(update_fields=["config"])
    assert read_config(Source.objects.get(), KafkaConfig).password == "another-one"


def test_a_config_tells_no_secret_when_it_is_printed():
    config = read_config(Source(name="new", kind=Kind.KAFKA, config=CONFIG))
    assert PASSWORD not in f"{config} {config!r}"
    assert "orders" in repr(config)


@pytest.mark.django_db
def test_errors_of_brokers_and_logs_hold_no_secret_that_was_read(kafka):
    read_config(kafka)
    assert PASSWORD not in str(BrokerError(f"login ann:{PASSWORD} was refused"))
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(scrubbing.Formatter("%(name)s %(message)s"))
    log = logging.getLogger("tests.secrets")
    log.addHandler(handler)
    try:
        try:
            raise ValueError(f"amqp://ann:{PASSWORD}@host refused")
        except ValueError as error:
            log.warning("could not connect: %s", error, exc_info=True)
    finally:
        log.removeHandler(handler)
    assert PASSWORD not in stream.getvalue()
    assert "tests.secrets could not connect: amqp://ann:••••••@host refused" in stream.getvalue()


@pytest.mark.parametrize(
    ("secret", "text", "scrubbed"),
    [
        ("p@ss/word", "amqp://ann:p%40ss%2Fword@host", "amqp://ann:••••••@host"),
        ("it's", "user 'x' (it's)", "user 'x' (••••••)"),
        ("cat", "cat, concatenate", "••••••, concatenate"),
        ("-----BEGIN X-----\nMIIEvQIBADANBgkq\n-----END X-----", "at MIIEvQIBADANBgkq:", "at ••••••:"),
        (12345678, "code 12345678", "code ••••••"),
    ],
)
def test_every_form_of_a_secret_is_scrubbed(secret, text, scrubbed):
    scrubbing.remember([secret])
    assert scrubbing.scrub(text) == scrubbed


# -- Keys --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_keys_are_rotated_without_losing_anything(settings, kafka):
    out = io.StringIO()
    old, new = keys.new_key(), keys.new_key()
    for ring in ([old], [new, old]):  # the first was encrypted with the key made from SECRET_KEY
        settings.SECRETS_KEYS = ring
        call_command("rotate_secrets", stdout=out)
    assert "Encrypted anew: shop." in out.getvalue()
    settings.SECRETS_KEYS = [new]
    settings.SECRET_KEY = "changed as well"
    assert read_config(Source.objects.get(), KafkaConfig).password == PASSWORD
    assert AuditEntry.objects.filter(action="rotate secrets").count() == 2


@pytest.mark.django_db
def test_a_lost_key_is_told_at_the_source_and_the_others_go_on(settings, kafka):
    settings.SECRETS_KEYS = [keys.new_key()]
    settings.SECRET_KEY = "another"
    other = Source.objects.create(name="other", kind=Kind.KAFKA, config=dict(CONFIG))
    with pytest.raises(
        BadConfig, match=r"source 'shop' cannot be read with the keys of SECRETS_KEYS\. Enter"
    ):
        read_config(Source.objects.get(name="shop"))
    assert read_config(other, KafkaConfig).password == PASSWORD
    with pytest.raises(CommandError, match="secrets of shop"):
        call_command("rotate_secrets", stdout=io.StringIO())
    kept = Source.objects.get(name="shop")
    kept.save()  # a change of something else does not throw away what an old key could still read
    assert Source.objects.get(name="shop").secrets == kafka.secrets
    kept.config["password"] = "entered-again"
    kept.save()
    assert read_config(Source.objects.get(name="shop"), KafkaConfig).password == "entered-again"


def test_something_that_is_no_key_is_refused_with_a_way_to_make_one(settings):
    settings.SECRETS_KEYS = ["short"]
    with pytest.raises(BadConfig, match="rotate_secrets --new-key"):
        read_config(Source(name="new", kind=Kind.KAFKA, config=CONFIG, secrets="x"))


def test_a_new_key_can_be_printed():
    out = io.StringIO()
    call_command("rotate_secrets", "--new-key", stdout=out)
    keys.check(out.getvalue().strip())


# -- Workers -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_worker_begins_a_source_again_when_its_secrets_or_mapping_change_and_not_for_another_key(
    settings, kafka
):
    running = Source.objects.get()
    settings.SECRETS_KEYS = [keys.new_key()]
    call_command("rotate_secrets", stdout=io.StringIO())
    rotated = Source.objects.get()
    assert rotated.secrets != running.secrets
    assert not Supervisor._is_reconfigured(running, rotated)
    rotated.config["password"] = "changed-now"
    rotated.save()
    assert Supervisor._is_reconfigured(running, Source.objects.get())
    mapped = Source.objects.get()
    mapped.mapping = {"event_type": "kind"}
    assert Supervisor._is_reconfigured(Source.objects.get(), mapped)


# -- The migration -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_passwords_of_before_move_out_of_the_configs_and_back():
    config = {"streams": ["a"], "url": "redis://:old-password@host:6379/0"}
    source = Source.objects.create(name="old", kind=Kind.REDIS)
    Source.objects.filter(pk=source.pk).update(config=config)
    migration = importlib.import_module("eventhub.brokers.migrations.0003_secrets_out_of_configs")
    executor = MigrationExecutor(connection)
    apps = executor.loader.project_state([("brokers", "0003_secrets_out_of_configs")]).apps
    migration.move_out(apps, None)
    row = Source.objects.filter(pk=source.pk).values().get()
    assert "old-password" not in repr(row)
    assert keeping.secrets_of(Source.objects.get()) == {"password": "old-password"}
    migration.move_back(apps, None)
    row = Source.objects.filter(pk=source.pk).values().get()
    assert row["config"] == config
    assert row["secrets"] == ""
