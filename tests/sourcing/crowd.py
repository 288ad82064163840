"""A crowd of writers on few streams, with transactions held open at random, and a projection that follows them."""

import random
import threading
import time
from collections.abc import Callable

import msgspec
from django.db import connection, transaction

from eventhub.sourcing import reading
from eventhub.sourcing.appending import New, append
from eventhub.sourcing.errors import WrongVersion
from eventhub.sourcing.projecting import rebuilding
from eventhub.sourcing.projecting.declaring import Declared

MODULUS = 2**31 - 1


class Row(msgspec.Struct):
    stream: str
    version: int = 0
    # Depends on every event and on their order.
    digest: int = 0


class Follower:
    """It cannot take an event in that does not follow the one before: a gap, a double or a wrong order stops it."""

    Row = Row

    def key(self, event):
        return event.stream

    def fold(self, row, event):
        row = row or Row(event.stream)
        if event.stream_version != row.version + 1:
            raise ValueError(f"{event.stream}: {event.stream_version} came after {row.version}")
        row.version = event.stream_version
        row.digest = (row.digest * 31 + event.value["n"]) % MODULUS
        return row


class Crowd:
    """Writers in threads, each with its own connection. What they were told is appended, they write down."""

    def __init__(self, writers: int, streams: int) -> None:
        self.writers = writers
        self.streams = [f"crowd-{n}" for n in range(streams)]
        self.appended: list[tuple[str, int, int]] = []
        self.conflicts = 0
        self.rolled_back = 0
        self.errors: list[BaseException] = []
        self._until = 0.0

    def run(self, seconds: float, declared: Declared, partitions: int) -> None:
        """Let them all write, and the projection's workers follow, for so long."""
        rebuilding.ensure(declared)
        self._until = time.monotonic() + seconds
        work: list[Callable[[], None]] = [lambda n=n: self._write(n) for n in range(self.writers)]
        work += [lambda n=n: self._follow(declared, n) for n in range(partitions)]
        work += [self._hold_open]
        threads = [threading.Thread(target=self._guarded, args=(one,)) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised by who joins
            self.errors.append(error)
        finally:
            connection.close()

    def _write(self, writer: int) -> None:
        choice = random.Random(writer)
        while time.monotonic() < self._until:
            stream, n = choice.choice(self.streams), choice.randrange(1_000_000)
            count = choice.choice((1, 1, 1, 3))
            roll = choice.random()
            try:
                if roll < 0.5:
                    self._append(stream, n, count)
                else:
                    self._append_slowly(choice, stream, n, count)
            except WrongVersion:
                self.conflicts += 1

    def _append(self, stream: str, n: int, count: int) -> None:
        at = reading.head(stream).version
        done = append(stream, [New("crowd.spoke", {"n": n + i}) for i in range(count)], expected=at)
        self.appended += [(stream, done.version - count + 1 + i, n + i) for i in range(count)]

    def _append_slowly(self, choice: random.Random, stream: str, n: int, count: int) -> None:
        """In a transaction that has its number long before it appends, or commits long after, or not at all."""
        rolls_back = choice.random() < 0.2
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_current_xact_id()")
            time.sleep(choice.random() * 0.03)
            at = reading.head(stream).version
            done = append(stream, [New("crowd.spoke", {"n": n + i}) for i in range(count)], expected=at)
            time.sleep(choice.random() * 0.03)
            transaction.set_rollback(rolls_back)
        if rolls_back:
            self.rolled_back += 1
        else:
            self.appended += [(stream, done.version - count + 1 + i, n + i) for i in range(count)]

    def _hold_open(self) -> None:
        """Somebody else, whose transactions hold up all readers of the log now and then."""
        while time.monotonic() < self._until:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_current_xact_id()")
                time.sleep(random.random() * 0.5)
            time.sleep(random.random() * 0.2)

    def _follow(self, declared: Declared, partition: int) -> None:
        while time.monotonic() < self._until:
            rebuilding.follow_partition(declared, partition, 0.5)
            time.sleep(0.01)

    def check(self, declared: Declared) -> None:
        """Nothing is missing, nothing is there twice, and the projection is what a recomputation gives."""
        rebuilding.follow(declared, 60)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT stream, stream_version, (data->>'n')::int FROM events_event WHERE stream IS NOT NULL"
            )
            stored = cursor.fetchall()
            cursor.execute(f"SELECT stream, version, digest FROM {declared.table}")
            projected = {stream: (version, digest) for stream, version, digest in cursor.fetchall()}
        assert sorted(stored) == sorted(self.appended), "what writers were told is not what is stored"
        assert len({(stream, version) for stream, version, _ in stored}) == len(stored), (
            "a version is there twice"
        )
        for stream in self.streams:
            events = list(reading.read(stream))
            assert [event.stream_version for event in events] == list(range(1, len(events) + 1)), (
                f"a gap in {stream}"
            )
            digest = 0
            for event in events:
                digest = (digest * 31 + event.value["n"]) % MODULUS
            assert projected.get(stream, (0, 0)) == (len(events), digest), stream
