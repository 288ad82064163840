"""Messages that became dead letters here, through the stages once more: read, checked and stored as things are now."""

from collections.abc import Sequence

from msgspec import structs

from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.models import Source
from eventhub.events.message import Message
from eventhub.events.store import Outcome
from eventhub.ingest.pipeline import Pipeline

MUTATED = (
    "An event with its id is stored already, with other content: see the flow review. Edit it, or discard it."
)


def store_again(source: Source, messages: Sequence[Message]) -> list[str | None]:
    """Store the events of these messages, in the caller's transaction; for each message why not, or None.

    An event that is stored already counts as stored. What still cannot be read makes no new dead letter, and does not
    count as another failure.
    """
    try:
        pipeline = Pipeline(source)
        batch = pipeline.prepare_each(messages)
    except BrokerError as error:
        return [f"The source cannot be read as it is configured: {error}"] * len(messages)
    why: dict[str, str | None] = {
        letter.message.origin_key: f"{letter.error_class}: {letter.error_message}" for letter in batch.letters
    }
    if batch.rows.events:
        counted = structs.replace(batch, letters=[])
        written = pipeline.write(counted)
        for n, (message, outcome) in enumerate(zip(batch.rows.origins, written.outcomes, strict=True)):
            if outcome is Outcome.REFUSED:
                why[message.origin_key] = f"PostgreSQL cannot hold it: {written.refusals[n]}"
            elif outcome is Outcome.MUTATED:
                why[message.origin_key] = MUTATED
    return [why.get(message.origin_key) for message in messages]
