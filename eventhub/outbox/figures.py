"""How the outbox stands: what waits, for how long, what was given up."""

import msgspec
from django.db import connection

from eventhub.outbox.models import OutboxMessage


class Standing(msgspec.Struct, frozen=True):
    """The outbox now."""

    waiting: int
    # How long the oldest message that waits has waited; 0 where none does.
    oldest_age_s: float
    # Of those that wait: refused at least once.
    refused: int
    dead: int


def standing() -> Standing:
    """Counted now, by the partial indexes of what waits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE dead_at IS NULL),"
            " coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE dead_at IS NULL)), 0)::float8,"
            " count(*) FILTER (WHERE dead_at IS NULL AND attempts > 0), count(*) FILTER (WHERE dead_at IS NOT NULL)"
            " FROM outbox_outboxmessage WHERE published_at IS NULL"
        )
        waiting, age_s, refused, dead = cursor.fetchone() or (0, 0.0, 0, 0)
    return Standing(waiting, max(0.0, age_s), refused, dead)


def metrics() -> list[tuple[str, str, float]]:
    """The same as gauges of Prometheus: name, meaning, value."""
    now = standing()
    return [
        ("eventhub_outbox_waiting", "Messages not published yet.", now.waiting),
        ("eventhub_outbox_oldest_unpublished_seconds", "Age of the oldest of them.", now.oldest_age_s),
        ("eventhub_outbox_refused", "Of those, refused by the broker at least once.", now.refused),
        ("eventhub_outbox_dead", "Messages that were given up.", now.dead),
    ]


def prometheus() -> str:
    """The same as text, for a project that has the outbox alone."""
    return "".join(
        f"# HELP {name} {told}\n# TYPE {name} gauge\n{name} {value:g}\n" for name, told, value in metrics()
    )


def send_again(ids: list[int] | None = None) -> int:
    """Let what was given up (all, or these ids) wait to be sent again; how many. They come after what is out."""
    dead = OutboxMessage.objects.filter(dead_at__isnull=False, published_at=None)
    if ids is not None:
        dead = dead.filter(pk__in=ids)
    return dead.update(dead_at=None, due_at=None, attempts=0)
