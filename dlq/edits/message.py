"""The message that is published in place of an edited letter."""

from collections.abc import Iterable

from msgspec import structs

from dlq.headers import ATTEMPT, RETRY_FOR, RETRY_OF
from dlq.models import Edit, EditState, Retry
from eventhub.events.message import OutgoingMessage

# Brokers drop what carries an id that they have seen.
ID_PROPERTIES = ("message_id", "MessageDeduplicationId")
_OF_THE_RETRY = (RETRY_OF, ATTEMPT, RETRY_FOR)


def in_force(letter_ids: Iterable[int]) -> dict[int, Edit]:
    """The edits that take the place of these letters, by letter. One statement, index edited_once."""
    wanted = Edit.objects.filter(letter__in=list(letter_ids), state=EditState.APPROVED)
    return {edit.letter_id: edit for edit in wanted}


def is_of_edit(retry: Retry, edit: Edit | None) -> bool:
    """Whether this retry sent the edit, not the letter as it was before."""
    return edit is not None and edit.decided_at is not None and retry.requested_at >= edit.decided_at


def dressed(message: OutgoingMessage, edit: Edit) -> OutgoingMessage:
    """`message`, as it would go out for the letter, with what the edit says instead."""
    told = [(name, value) for name, value in message.headers if name in _OF_THE_RETRY]
    headers = [(name, value) for name, value in edit.headers if name.lower() not in _OF_THE_RETRY]
    properties = {
        name: edit.event_id if name in ID_PROPERTIES else value for name, value in message.properties.items()
    }
    return structs.replace(
        message,
        body=bytes(edit.body),
        headers=(*headers, *told),
        key=edit.key,
        partition=message.partition if edit.key == message.key else None,
        properties=properties,
    )
