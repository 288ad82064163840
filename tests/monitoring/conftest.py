from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from eventhub.brokers.models import Kind, Source, SourceStatus, State
from monitoring.rollups.histogram import histogram
from monitoring.rollups.models import Rollup

# A whole minute, so that expectations can be counted on fingers.
NOON = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def shop() -> Source:
    return Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["shop.orders"]})


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_user("ada", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def visitor(client: Client) -> Client:
    client.force_login(User.objects.create_user("vic"))
    return client


@pytest.fixture
def counted() -> Callable[..., Rollup]:
    """Writes a rollup row."""

    def write(bucket: datetime, event_type: str = "order.placed", **values: object) -> Rollup:
        for name in ("processing", "arrival"):
            durations = values.pop(f"{name}_s", None)
            if durations is not None:
                buckets, counts = histogram(durations)  # type: ignore[arg-type]
                values |= {f"{name}_buckets": buckets, f"{name}_counts": counts}
        values.setdefault("grain", 1)
        return Rollup.objects.create(bucket=bucket, event_type=event_type, **values)

    return write


@pytest.fixture
def heartbeat() -> Callable[..., SourceStatus]:
    """A worker's sign of life."""

    def beat(source: Source, at: datetime, state: str = State.RUNNING, **values: object) -> SourceStatus:
        values.setdefault("worker", "ingest@one")
        return SourceStatus.objects.create(
            source=source, state=state, heartbeat_at=at, started_at=at - timedelta(hours=1), **values
        )

    return beat
