import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from eventhub.brokers.adapter import BadConfig, BrokerError, Refused
from eventhub.outbox import figures, inbox, targets
from eventhub.outbox.management.commands.outbox import params_of
from eventhub.outbox.models import InboxEntry, OutboxMessage
from eventhub.outbox.publishing import NotInTransaction, publish
from eventhub.outbox.relay import Relay
from eventhub.outbox.settling import Fate, Row, settle

pytestmark = pytest.mark.django_db(transaction=True)


class Broker:
    """Takes everything but what it is told to refuse, and keeps what it took."""

    def __init__(self):
        self.took = []
        self.refuses = {}
        self.is_away = False

    def publish(self, messages):
        if self.is_away:
            raise BrokerError("away")
        reasons = {n: self.refuses[m.body] for n, m in enumerate(messages) if m.body in self.refuses}
        self.took += [m for n, m in enumerate(messages) if n not in reasons]
        if reasons:
            raise Refused(reasons)

    def close(self):
        pass

    def bodies(self):
        return [json.loads(message.body)["n"] for message in self.took]


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def relay(broker):
    opened = []

    def one(**options):
        opened.append(Relay(params_of(None), lambda: broker, **options))
        return opened[-1]

    yield one
    for relay in opened:
        relay.close()


@pytest.fixture(autouse=True)
def _slices(transactional_db):
    with connection.cursor() as cursor:  # rows of a migration, which a test that commits takes away
        cursor.execute(
            "INSERT INTO outbox_relayslice (number) SELECT generate_series(0, 15) ON CONFLICT (number) DO NOTHING"
        )


def put(n, key=None, topic="orders"):
    with transaction.atomic():
        publish(topic, {"n": n}, key=key)


def test_what_waits_is_published_in_order_and_marked(relay, broker):
    for n in range(5):
        put(n, key="a")
    one = relay(keep=True)
    assert one.turn() == 5
    assert broker.bodies() == [0, 1, 2, 3, 4]
    assert one.turn() == 0
    assert OutboxMessage.objects.filter(published_at=None).count() == 0
    put(5)
    relay().turn()
    assert OutboxMessage.objects.count() == 5  # only those that were to be kept
    assert dict(broker.took[0].headers)["outbox-id"] == str(OutboxMessage.objects.first().pk)


def test_two_relays_take_different_keys_and_neither_waits(relay, broker):
    for n in range(200):
        put(n, key=f"k-{n % 40}")
    first, second = relay(), relay()
    database = first._ensure_database()
    with database.transaction():
        mine = first._take_slices(database)
        rows = first._waiting(database, mine)
        while second.turn():
            pass
    assert mine
    own = {row.key for row in rows}
    assert own
    assert own.isdisjoint({message.key for message in broker.took})
    while second.turn():
        pass
    assert sorted(broker.bodies()) == list(range(200))


def test_a_refused_message_holds_its_key_and_nobody_else(relay, broker):
    refused = json.dumps({"n": 1}, separators=(",", ":")).encode()
    broker.refuses = {refused: "too large"}
    put(0, key="a")
    put(1, key="a")
    put(2, key="b")
    one = relay()
    one.turn()
    put(3, key="a")
    one.turn()
    assert sorted(broker.bodies()) == [0, 2]
    held = OutboxMessage.objects.get(attempts=1)
    assert (held.error, held.dead_at) == ("too large", None)
    assert figures.standing().refused == 1
    broker.refuses = {}
    OutboxMessage.objects.update(due_at=None)
    one.turn()
    assert broker.bodies()[-2:] == [1, 3]


def test_what_is_refused_again_and_again_is_given_up_and_can_be_sent_again(relay, broker):
    broker.refuses = {b'{"n":1}': "no such topic"}
    put(1, key="a")
    one = relay(max_attempts=3)
    for _ in range(3):
        one.turn()
        OutboxMessage.objects.update(due_at=None)
    put(2, key="a")
    one.turn()
    assert broker.bodies() == [2]
    assert (figures.standing().dead, figures.standing().waiting) == (1, 0)
    broker.refuses = {}
    assert figures.send_again() == 1
    one.turn()
    assert broker.bodies() == [2, 1]


def test_a_broker_that_is_away_loses_nothing(relay, broker):
    put(1)
    broker.is_away = True
    one = relay()
    with pytest.raises(BrokerError):
        one.turn()
    assert OutboxMessage.objects.get().attempts == 0
    broker.is_away = False
    assert one.turn() == 1


def test_the_relay_is_woken_by_what_is_written(relay, broker, monkeypatch):
    monkeypatch.setattr("eventhub.outbox.relay.LOOK_EVERY_S", 60.0)  # by itself it would look much later
    one = relay()
    stop = threading.Event()
    thread = threading.Thread(target=one.run, args=(stop.is_set,))
    thread.start()
    try:
        time.sleep(0.5)
        started = time.monotonic()
        put(1)
        while not broker.took and time.monotonic() - started < 30:
            time.sleep(0.005)
        assert broker.took
    finally:
        stop.set()
        put(2)  # wakes it once more, to see that it is to end
        thread.join()


def test_plain_sql_is_enough_to_publish(relay, broker):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO outbox (event_type, payload) VALUES ('order.placed', '{\"total\": 12}') RETURNING id"
        )
        assert cursor.fetchone()[0] == OutboxMessage.objects.get().pk
        cursor.execute(
            "INSERT INTO outbox (event_type, payload, key, topic, source, correlation_id)"
            " VALUES ('order.paid', NULL, 'o-1', 'orders', 'checkout', 'c-1')"
        )
        with pytest.raises(Exception, match="needs an event_type"), transaction.atomic():
            cursor.execute("INSERT INTO outbox (payload) VALUES ('{}')")
    relay().turn()
    first, second = (json.loads(message.body) for message in sorted(broker.took, key=lambda m: m.topic))
    assert (first["event_type"], first["data"], len(first["event_id"])) == ("order.placed", {"total": 12}, 36)
    assert first["timestamp"].endswith("Z")
    assert second["metadata"] == {"source": "checkout", "correlation_id": "c-1"}
    assert [message.topic for message in broker.took if message.key == "o-1"] == ["orders"]


def test_the_age_of_the_oldest_that_waits_is_told():
    put(1)
    OutboxMessage.objects.update(created_at=timezone.now() - timedelta(seconds=90))
    put(2)
    now = figures.standing()
    assert now.waiting == 2
    assert 89 < now.oldest_age_s < 120
    assert "eventhub_outbox_waiting 2\n" in figures.prometheus()


def test_an_inbox_lets_each_event_through_once_and_only_with_its_work():
    done = []

    @inbox.once("shipping")
    def ship(event):
        done.append(event["event_id"])
        if event.get("fails"):
            raise ValueError
        return "shipped"

    assert ship({"event_id": "e-1"}) == "shipped"
    assert ship({"event_id": "e-1"}) is None
    with pytest.raises(ValueError):  # noqa: PT011
        ship({"event_id": "e-2", "fails": True})
    assert ship({"event_id": "e-2"}) == "shipped"
    assert done == ["e-1", "e-2", "e-2"]
    assert InboxEntry.objects.count() == 2
    with pytest.raises(NotInTransaction):
        inbox.is_first("shipping", "e-3")
    assert inbox.forget_before(timezone.now() + timedelta(seconds=1)) == 2


def test_a_target_is_checked_before_anything_is_sent(settings):
    with pytest.raises(BadConfig, match="OUTBOX_TARGET"):
        targets.target_from_settings()
    with pytest.raises(BadConfig, match="Known: kafka"):
        targets.target("pigeon", {})


keys = st.sampled_from(["a", "b", None])


@given(st.lists(st.tuples(keys, st.integers(0, 9), st.booleans()), max_size=20))
def test_no_message_goes_out_after_a_later_one_of_its_key(rows):
    batch = [Row(n, "t", key, "{}", "", attempts) for n, (key, attempts, _) in enumerate(rows)]
    reasons = {n: "no" for n, (_, _, is_refused) in enumerate(rows) if is_refused}
    settled = settle(batch, reasons)
    assert sorted(settled.sent + [one.number for one in settled.refused]) == list(range(len(rows)))
    for one in settled.refused:
        if one.fate is Fate.AGAIN:
            key = batch[one.number].key
            assert key is None or not any(batch[n].key == key and n > one.number for n in settled.sent)
            assert 0 < one.delay_s <= 300


STANDALONE = """
import os, sys
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", INSTALLED_APPS=["eventhub.outbox"], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": sys.argv[1], "HOST": sys.argv[2],
                           "USER": sys.argv[3]}},
    OUTBOX_TARGET={"kind": "redis", "config": {"url": sys.argv[4]}},
)
django.setup()
from django.core.management import call_command
from django.db import transaction
call_command("migrate", verbosity=0)
from eventhub.outbox.publishing import publish
from eventhub.outbox.inbox import is_first
with transaction.atomic():
    publish(sys.argv[5], {"event_id": "e-1", "event_type": "order.placed", "data": {}}, key="k")
    assert is_first("me", "e-1") and not is_first("me", "e-1")
call_command("outbox", "relay", "--once")
call_command("outbox", "status")
looks_at_addresses = {"eventhub.access", "eventhub.access.outgoing"}  # of the settings alone, with defaults
above = ("dlq", "monitoring", "eventhub.handlers", "eventhub.sourcing", "eventhub.events.models",
         "eventhub.brokers.models", "eventhub.settings", "eventhub.access")
upper = [name for name in sys.modules if name.startswith(above) and name not in looks_at_addresses]
assert not upper, upper
"""


def address(name: str) -> str:
    database = connection.settings_dict
    return f"postgresql://{database['USER']}@{quote(database['HOST'], safe='')}/{name}"


@pytest.fixture
def other_database():
    name = f"alone_{uuid4().hex[:8]}"
    with psycopg.connect(address("postgres"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield name
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_it_is_all_that_another_project_needs(other_database):
    stream = f"alone-{uuid4().hex[:8]}"
    database = connection.settings_dict
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    arguments = [other_database, database["HOST"], database["USER"], settings.REDIS_URL, stream]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(STANDALONE), *arguments],
        cwd=Path(__file__).resolve().parents[2], env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 published" in done.stdout
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        [(_, fields)] = client.xrange(stream)
    assert json.loads(fields[b"body"])["event_id"] == "e-1"


def test_a_database_that_django_does_not_keep_gets_it_by_sql(other_database, broker, capsys):
    call_command("outbox", "sql")
    with psycopg.connect(address(other_database), autocommit=True) as service:
        service.execute(capsys.readouterr().out)
        service.execute("INSERT INTO outbox (event_type, payload) VALUES ('order.placed', '{\"n\": 7}')")
        relay = Relay(params_of(address(other_database)), lambda: broker)
        assert relay.turn() == 1
        relay.close()
    assert json.loads(broker.took[0].body)["data"] == {"n": 7}
