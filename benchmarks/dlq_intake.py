"""How fast a flood of dead letters is taken in, each grouped by what it died of."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmarks import stage
from benchmarks.record import record

if TYPE_CHECKING:  # at run time only after Django is set up
    from eventhub.events.message import Message

COUNT = 60_000
BATCH = 5_000
GOAL_PER_S = 10_000
# Three services die of one thing each, with ids in the wording that a group must see through.
DEATHS = (
    ("shipping", "shop.shipping.CarrierTimeout", "The carrier did not answer in {n} ms for order {order}"),
    ("billing", "shop.billing.CardDeclined", "Card of customer c-{order} was declined: insufficient funds"),
    ("mailing", "shop.mailing.TemplateMissing", "No template for order-{order} in locale 'x-{n}'"),
)
STACK = """Traceback (most recent call last):
  File "/app/shop/{service}.py", line 88, in handle
    result = client.call(order)
  File "/app/.venv/lib/python3.12/site-packages/httpx/_client.py", line 1144, in post
    raise TimeoutException(message)
{error}: it failed"""


def run() -> bool:
    """Letters a second through the pipeline of a dead-letter source: bodies of about 400 bytes, three groups."""
    with stage.services():
        from dlq.models import DeadLetter, DeadLetterGroup
        from eventhub.brokers.models import Kind, Role, Source
        from eventhub.ingest.pipeline import Pipeline
        from eventhub.running.turns import take_turns_often

        source = Source.objects.create(
            name="flood", kind=Kind.REDIS, role=Role.DEAD_LETTERS, config={"streams": ["flood"]}
        )
        pipeline = Pipeline(source)
        pipeline.write(pipeline.prepare(_messages(1_000, "warm-up")))
        flood = _messages(COUNT, "flood")
        take_turns_often()  # as a worker does
        started = time.perf_counter()
        # As the loop of a source does: the next batch is prepared while this one is written.
        with ThreadPoolExecutor(1) as ahead:
            batch = ahead.submit(pipeline.prepare, flood[:BATCH])
            for n in range(BATCH, COUNT + BATCH, BATCH):
                ready = batch.result()
                batch = ahead.submit(pipeline.prepare, flood[n : n + BATCH])
                pipeline.write(ready)
        seconds = time.perf_counter() - started
        if (there := DeadLetter.objects.count()) != COUNT + 1_000:
            raise AssertionError(f"{there:,} letters are there instead of {COUNT + 1_000:,}")
        if (groups := DeadLetterGroup.objects.count()) != len(DEATHS):
            raise AssertionError(f"they are in {groups} groups instead of {len(DEATHS)}")
    return record(
        "dlq-intake",
        value=COUNT / seconds,
        unit="letters/s",
        reference="the rate that a flood must not exceed",
        reference_value=GOAL_PER_S,
        goal=1.0,
        better="higher",
    )


def _messages(count: int, name: str) -> "list[Message]":
    from eventhub.events.message import Message

    at = datetime.now(UTC)
    found: list[Message] = []
    kinds = len(stage.TYPES)
    for n, body in enumerate(stage.bodies(-(-count // len(DEATHS)) * kinds)):
        if n % kinds >= len(DEATHS) or len(found) == count:
            continue  # an event type for each death
        service, error, said = DEATHS[n % kinds]
        found.append(
            Message(
                body=body,
                topic="flood",
                offset=f"{n}-0",
                origin_key=f"redis:{name}/{n}-0",
                headers={
                    "dlq-error-class": error,
                    "dlq-error-message": said.format(n=n, order=n // 5),
                    "dlq-stack": STACK.format(service=service, error=error),
                    "dlq-origin-stream": "shop.orders",
                    "dlq-group": service,
                    "dlq-attempts": "3",
                    "dlq-failed-at": at.isoformat(),
                },
                timestamp=at,
            )
        )
    return found
