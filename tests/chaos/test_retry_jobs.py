"""A retry job to a real RabbitMQ while its worker is killed and PostgreSQL restarts: each letter once for a click.

What may be at the target twice is told apart: only letters of a batch that was in flight when a worker was killed,
under the same event ids, and all of them are named in the audit log.
"""

import json
import random
import subprocess
import sys
import time
from collections import Counter

import kombu
import pytest

from dlq.headers import RETRY_OF
from tests.chaos.exactly_once import ROOT, Database, Worker, own_database
from tests.services.rabbitmq import RabbitServer

NAME = "chaos-retries"
SERVICES = ("shipping", "billing", "email")
TIMEOUT_S = 900.0
# A batch is in flight while letters that their job names are still claimed.
IN_FLIGHT = """
SELECT count(*) FROM dlq_retry retry JOIN dlq_retryjob job ON job.id = retry.job_id
WHERE retry.state = 'claimed' AND retry.id = ANY(job.in_flight)"""
PREPARE = """
import json, os
from django.db import transaction
from dlq import intake
from dlq.dead_letter_queues import read
from eventhub.brokers.models import Role, Source
from eventhub.events.message import Message
from tests.chaos.exactly_once import events_numbered
name, services = os.environ["CHAOS_NAME"], json.loads(os.environ["CHAOS_SERVICES"])
Source.objects.update(role=Role.DEAD_LETTERS)
source = Source.objects.get()
death = {"count": 1, "reason": "rejected", "queue": name, "exchange": name, "routing-keys": ["order.placed"]}
letters = int(os.environ["CHAOS_LETTERS"])
for start in range(0, letters, 5_000):
    messages = [
        Message(
            body,
            f"{name}-dead",
            str(number),
            f"amqp:{name}/{number}",
            {
                "content-type": "application/json",
                "dlq-group": services[number % len(services)],
                "dlq-error-class": "shop.CarrierTimeout",
                "dlq-error-message": f"The carrier did not answer for order {number}",
                "x-death": json.dumps([death]),
            },
            key="order.placed",
            properties={"exchange": name, "routing_key": "order.placed", "delivery_mode": "2"},
        )
        for number, body in enumerate(events_numbered(start, min(5_000, letters - start)), start=start)
    ]
    with transaction.atomic():
        intake.record(source, [read(message) for message in messages])
"""
CLICK = """
from dlq.jobs import starting
from dlq.jobs.options import Options
from dlq.jobs.selection import of_filter
from dlq.listing import Filter
from eventhub.access.audit import Actor
import os
starting.start(of_filter(Filter()), Actor("anna"), Options(batch_size=int(os.environ["CHAOS_BATCH"])))
"""
WAKE = "from dlq.jobs.starting import wake_a_worker; wake_a_worker()"


class Target:
    """A topic exchange with one queue, on a RabbitMQ of the test's own."""

    kind = "rabbitmq"

    def __init__(self, server: RabbitServer) -> None:
        self.url = server.address.url
        self.config = {"url": self.url, "queue": f"{NAME}-dead"}
        with kombu.Connection(self.url) as connection:
            channel = connection.default_channel
            channel.exchange_declare(NAME, "topic", durable=True, auto_delete=False)
            channel.queue_declare(NAME, durable=True, auto_delete=False)
            channel.queue_bind(NAME, NAME, "order.#")

    def holds(self) -> int:
        """How many messages."""
        with kombu.Connection(self.url) as connection:
            return int(connection.default_channel.queue_declare(NAME, passive=True).message_count)

    def messages(self, count: int) -> list[tuple[int, str]]:
        """Take them out: for each the letter that it is a retry of, and the id of its event."""
        found: list[tuple[int, str]] = []
        with kombu.Connection(self.url) as connection:
            channel = connection.channel()

            def take(message: object) -> None:
                found.append((int(message.headers[RETRY_OF]), json.loads(message.body)["event_id"]))  # type: ignore[attr-defined]

            channel.basic_consume(
                NAME, no_ack=True, callback=lambda raw: take(channel.message_to_python(raw))
            )
            while len(found) < count:
                connection.drain_events(timeout=30)
        return found


class TaskWorker(Worker):
    """`celery worker` for tasks, which drives retry jobs."""

    def start(self) -> None:
        command = [sys.executable, "-m", "celery", "-A", "eventhub", "worker", "--pool", "solo"]
        command += ["--queues", "tasks", "--hostname", f"tasks@{self.name}", "--loglevel", "INFO"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=self.log, stderr=self.log
        )


class Story:
    """One run, and what it showed."""

    def __init__(self, database: Database, target: Target, letters: int, batch_size: int) -> None:
        self.database, self.target, self.letters = database, target, letters
        self.environment = {
            **database.environment,
            "CHAOS_NAME": NAME,
            "CHAOS_SERVICES": json.dumps(SERVICES),
            "CHAOS_LETTERS": str(letters),
            "CHAOS_BATCH": str(batch_size),
            "PYTHONPATH": str(ROOT),
        }
        self.batch_size = batch_size
        self.in_flight_at_kills: list[int] = []

    def have(self, script: str) -> None:
        """Run a piece of EventHub as a process of its own."""
        command = [sys.executable, "manage.py", "shell", "-v", "0", "-c", script]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True)

    def sent(self) -> int:
        """How many letters the database knows to be out."""
        return int(self.database.ask("SELECT count(*) FROM dlq_retry WHERE published_at IS NOT NULL"))

    def is_over(self) -> bool:
        """Whether the job has nothing left to do."""
        return bool(self.database.ask("SELECT is_finished FROM dlq_retryjob"))

    def kill(self, worker: Worker) -> None:
        """With a batch in flight, after a random moment."""
        self.wait_for_more(worker)
        time.sleep(random.uniform(0, 0.3))
        for _ in range(200):
            if self.database.ask(IN_FLIGHT):
                break
        worker.kill()
        assert not self.is_over(), "the job was over before the last kill"
        self.in_flight_at_kills.append(int(self.database.ask(IN_FLIGHT)))

    def wait_for_more(self, worker: Worker) -> None:
        """Until more letters are out than now."""
        before = self.sent()

        def is_more() -> bool:
            assert not self.is_over(), self.database.ask("SELECT state || ': ' || reason FROM dlq_retryjob")
            return self.sent() > before

        self.wait(worker, is_more)

    def wait(self, worker: Worker, condition, timeout_s: float = TIMEOUT_S) -> None:
        """As beat does, keep a worker awake."""
        deadline = time.monotonic() + timeout_s
        woken_at = 0.0
        while not condition():
            assert worker.process is not None
            assert worker.process.poll() is None, f"the worker ended by itself; see {worker.log.name}"
            assert time.monotonic() < deadline, f"in vain; see {worker.log.name}"
            if time.monotonic() - woken_at > 8 and self._is_left_alone():
                self.have(WAKE)
                woken_at = time.monotonic()
            time.sleep(0.02)

    def _is_left_alone(self) -> bool:
        return bool(
            self.database.ask(
                "SELECT count(*) FROM dlq_retryjob WHERE NOT is_finished AND next_at <= now()"
                " AND (lease_until IS NULL OR lease_until < now())"
            )
        )

    def check(self) -> str:
        """Each letter once but for what was in flight; everything told; returns the figures."""
        ask, letters = self.database.ask, self.letters
        at_target = self.target.holds()
        found = self.target.messages(at_target)
        times = Counter(letter for letter, _ in found)
        assert len(times) == letters, f"{letters - len(times):,} letters are lost"
        ids = {}
        for letter, event_id in found:
            assert ids.setdefault(letter, event_id) == event_id, f"letter {letter} went out as two events"
        assert len(set(ids.values())) == letters
        twice = {letter for letter, count in times.items() if count > 1}
        audited = set(
            ask(
                "SELECT coalesce(jsonb_agg(letter), '[]') FROM access_auditentry,"
                " jsonb_array_elements(detail -> 'letters') AS letter WHERE action = 'send again'"
            )
        )
        assert twice <= audited, f"{len(twice - audited):,} went out twice and nobody was told"
        resends = ask("SELECT count(*) FROM access_auditentry WHERE action = 'send again'")
        assert len(audited) <= sum(self.in_flight_at_kills) + self.batch_size, "more than what was in flight"
        assert all(count <= 1 + resends for count in times.values())
        tally = ask("SELECT tally FROM dlq_retryjob")
        state = ask("SELECT state FROM dlq_retryjob")
        assert (state, tally["awaited"], tally["resent"]) == ("done", letters, len(audited)), tally
        assert not tally.keys() & {"waiting", "in_flight", "uncertain", "not_published", "withdrawn"}, tally
        assert ask("SELECT count(*) FROM dlq_deadletter WHERE status = 'sent'") == letters
        assert ask("SELECT sum(open_change) FROM dlq_groupcount") == 0
        return (
            f"{letters:,} letters: {at_target:,} messages at the target, {len(times):,} different; {len(twice):,} "
            f"twice, {len(audited):,} named in the audit; in flight at the kills: {self.in_flight_at_kills}; {tally}"
        )


def retried(server: RabbitServer, *, letters: int, kills: int, batch_size: int) -> str:
    """Let `letters` die in three groups, click once, kill the worker so often, restart PostgreSQL; what it came to."""
    target = Target(server)
    with own_database(target) as database:
        story = Story(database, target, letters, batch_size)
        story.have(PREPARE)
        assert database.ask("SELECT count(*) FROM dlq_deadlettergroup") == len(SERVICES)
        began = time.monotonic()
        story.have(CLICK)
        restart_after = random.randrange(1, kills)
        with TaskWorker(database, batch_size, "chaos-retries") as worker:
            for kill in range(kills):
                worker.start()
                story.kill(worker)
                if kill + 1 == restart_after:
                    worker.start()
                    story.wait_for_more(worker)
                    database.restart()
                    story.wait_for_more(worker)
                    worker.kill()
                    story.in_flight_at_kills.append(int(database.ask(IN_FLIGHT)))
            worker.start()
            story.wait(worker, story.is_over)
            assert worker.stop() == 0
        return f"{time.monotonic() - began:.0f} s, {kills} kills; {story.check()}"


@pytest.mark.chaos
def test_100_000_letters_go_out_once_whatever_is_killed(own_rabbitmq):
    print(retried(own_rabbitmq, letters=100_000, kills=5, batch_size=2_000))


def test_10_000_letters_go_out_once_whatever_is_killed(own_rabbitmq):
    print(retried(own_rabbitmq, letters=10_000, kills=2, batch_size=50))
