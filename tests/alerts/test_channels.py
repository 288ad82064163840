"""What is secret of a channel is encrypted when it is saved, used when it is sent to, and told nowhere."""

import importlib

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from hypothesis import given
from hypothesis import strategies as st

from eventhub.brokers.secrets import keys, scrubbing
from eventhub.brokers.secrets.scrubbing import DOTS
from monitoring.alerts import keeping
from monitoring.alerts.models import Channel, Notice
from monitoring.alerts.sending import NotSent, deliver
from tests.alerts.receivers import HttpReceiver, serving

SLACK = "https://hooks.slack.example/services/T000/B000/vErYpRiVaTe"
FORM = {"name": "chat", "kind": "slack", "address": SLACK, "enabled": "on", "signing_key": "s3cret-key"}


@pytest.fixture
def chat(db) -> Channel:
    return Channel.objects.create(name="chat", kind="slack", address=SLACK, signing_key="s3cret-key")


@pytest.fixture
def staff(db, client):
    client.force_login(User.objects.create_superuser("ada"))
    return client


def test_a_saved_channel_holds_its_secrets_encrypted_only(chat):
    row = Channel.objects.filter(pk=chat.pk).values().get()
    assert "vErYpRiVaTe" not in repr(row)
    assert "s3cret" not in repr(row)
    assert row["address"] == f"https://hooks.slack.example/{DOTS}"
    again = Channel.objects.get()
    assert (again.whole_address, again.signing_key) == (SLACK, "s3cret-key")


def test_saving_again_changes_nothing(chat):
    again = Channel.objects.get()
    again.enabled = False
    again.save()
    assert Channel.objects.get().secrets == chat.secrets
    assert Channel.objects.get().whole_address == SLACK


@pytest.mark.django_db
def test_addresses_of_people_and_bare_hosts_are_no_secret():
    Channel.objects.create(name="mail", kind="email", address="ops@example.com, ada@example.com")
    Channel.objects.create(name="hook", kind="webhook", address="http://hook.example:8080/")
    assert not Channel.objects.exclude(secrets="").exists()
    assert {one.whole_address for one in Channel.objects.all()} == {
        "ops@example.com, ada@example.com",
        "http://hook.example:8080/",
    }


@given(st.text(max_size=60))
def test_an_address_is_told_without_what_stands_behind_its_host_whatever_it_is(text):
    shown = keeping.shown_address(f"https://user:hush@hub.example/{text}?token=hush")
    assert shown == f"https://hub.example/{DOTS}" or shown == DOTS
    keeping.shown_address(text)


def test_the_admin_shows_no_secret_and_keeps_what_is_not_entered_again(staff, db):
    staff.post("/admin/monitoring/channel/add/", FORM)
    channel = Channel.objects.get()
    page = f"/admin/monitoring/channel/{channel.pk}/change/"
    for address in (page, "/admin/monitoring/channel/", "/alerts/", "/admin/monitoring/channel/?q=chat"):
        text = staff.get(address).content.decode()
        assert "vErYpRiVaTe" not in text
        assert "s3cret" not in text
    staff.post(page, FORM | {"address": channel.address, "signing_key": "", "name": "room"})
    kept = Channel.objects.get()
    assert (kept.name, kept.whole_address, kept.signing_key) == ("room", SLACK, "s3cret-key")
    staff.post(page, FORM | {"address": channel.address, "signing_key": "", "unsigned": "on"})
    assert Channel.objects.get().signing_key == ""
    staff.post(page, FORM | {"address": "https://other.example/x/y"})
    assert Channel.objects.get().whole_address == "https://other.example/x/y"


def test_dots_are_no_address(staff, chat):
    page = f"/admin/monitoring/channel/{chat.pk}/change/"
    answer = staff.post(page, FORM | {"address": f"https://elsewhere.example/{DOTS}"})
    assert "Enter the whole address" in answer.content.decode()
    assert Channel.objects.get().whole_address == SLACK


@pytest.mark.django_db
def test_what_is_sent_goes_to_the_whole_address_and_an_error_does_not_tell_it():
    receiver = HttpReceiver()
    with serving(receiver):
        channel = Channel.objects.create(name="hook", kind="webhook", address=f"{receiver.url}/t0ken-in-path")
        deliver(Notice(channel=Channel.objects.get(), what="test"))
        assert [path for path, _, _ in receiver.posts] == ["/t0ken-in-path"]
    assert "t0ken" not in scrubbing.scrub(f"cannot reach {channel.whole_address}")
    assert "t0ken" not in scrubbing.scrub("POST /t0ken-in-path answers 500")


def test_new_keys_reach_channels_and_a_lost_key_is_told_in_words(chat, settings, capsys):
    settings.SECRETS_KEYS = [keys.new_key()]
    call_command("rotate_secrets")
    assert "chat" in capsys.readouterr().out
    settings.SECRET_KEY = "another"
    assert Channel.objects.get().whole_address == SLACK
    settings.SECRETS_KEYS = []
    with pytest.raises(NotSent, match="No key reads"):
        deliver(Notice(channel=Channel.objects.get(), what="test"))


@pytest.mark.django_db
def test_the_migration_moves_the_secrets_of_channels_and_moves_them_back():
    migration = importlib.import_module("monitoring.migrations.0005_secrets_of_channels")
    loader = MigrationExecutor(connection).loader
    # Between its operations: a channel that has both columns.
    state = loader.project_state([("monitoring", "0004_alerts")])
    for operation in migration.Migration.operations[:1]:
        operation.state_forwards("monitoring", state)
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE monitoring_channel ADD COLUMN signing_key varchar(200) NOT NULL DEFAULT ''"
        )
    old = state.apps.get_model("monitoring", "Channel")
    old.objects.create(name="chat", kind="slack", address=SLACK, signing_key="s3cret-key", secrets="")
    old.objects.create(name="mail", kind="email", address="ops@example.com", secrets="")
    migration.move_out(state.apps, None)
    assert Channel.objects.get(name="chat").whole_address == SLACK
    assert Channel.objects.get(name="chat").signing_key == "s3cret-key"
    assert old.objects.get(name="chat").address == f"https://hooks.slack.example/{DOTS}"
    assert old.objects.get(name="mail").secrets == ""
    old.objects.update(signing_key="")
    migration.move_back(state.apps, None)
    row = old.objects.get(name="chat")
    assert (row.address, row.signing_key) == (SLACK, "s3cret-key")
