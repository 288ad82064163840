"""Saving an edit, and sending it once it may go: each letter is edited once, by whom and why is kept.

With EDITS_NEED_APPROVAL an edit waits until a second person has looked at it.
"""

from uuid import uuid4

import msgspec
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from dlq.edits.drafting import Draft, NotEditable, begin, body_of, headers_of, problems, read_headers
from dlq.edits.identity import stamped_body, stamped_headers
from dlq.jobs import starting
from dlq.jobs.selection import of_letters
from dlq.models import ALIVE, DeadLetter, Edit, EditState, Retry, RetryJob, Status
from dlq.retry import NotNow, refuse_retry
from dlq.routes import NoRoute, route_of
from eventhub.access import audit
from eventhub.access.audit import Actor
from eventhub.brokers.models import Kind

__all__ = ["BadEdit", "NotEditable", "Saved", "approve", "decline", "edit_of", "refuse_edit", "save"]


class BadEdit(ValueError):
    """The edit cannot be sent as it is. `problems` says what to repair."""

    def __init__(self, found: list[str]) -> None:
        self.problems = found
        super().__init__(found[0])


class Saved(msgspec.Struct, frozen=True):
    """An edit, and the retry job that sends it; None while it waits for a second person, or nothing can be sent."""

    edit: Edit
    job: RetryJob | None
    # Why nothing could be sent; empty when it was, or waits.
    trouble: str = ""


def edit_of(letter: DeadLetter) -> Edit | None:
    """The edit that is there already and makes another one impossible."""
    return Edit.objects.filter(letter=letter).exclude(state=EditState.DECLINED).first()


def refuse_edit(letter: DeadLetter) -> None:
    """Raise NotEditable when this letter must not be edited now."""
    earlier = edit_of(letter)
    if earlier is not None:
        raise NotEditable(
            f"It was edited already, by {earlier.made_by} at {earlier.made_at:%Y-%m-%d %H:%M} UTC"
            + (
                ", and the edit waits for a second person."
                if earlier.state == EditState.WAITING
                else f", as event {earlier.event_id}. A letter is edited once: what is sent in its place is that edit. "
                "If the edit fails too, it comes back as a letter of its own, and that one can be edited."
            )
        )
    if letter.source.kind == Kind.HANDLERS:
        raise NotEditable(
            "Its handler is called with the stored event, and stored events are not changed. Publish a corrected "
            "event, then discard this letter."
        )
    try:
        refuse_retry(letter, Retry.objects.filter(letter=letter, state__in=ALIVE).first())
        if letter.status != Status.OPEN:
            raise NotNow(
                "Its retry was sent and not heard of. Mark it as resolved, or reopen it, before it is edited."
            )
        route_of(letter)
    except (NotNow, NoRoute) as refusal:
        raise NotEditable(str(refusal)) from refusal


def save(letter_id: int, draft: Draft, note: str, actor: Actor) -> Saved:
    """Keep an edit and send it, or keep it until a second person approves. Must not run inside a transaction.

    Raises NotEditable when the letter must not be edited, BadEdit when the draft is not fit to be sent.
    """
    with transaction.atomic():
        letter = _locked(letter_id)
        refuse_edit(letter)
        original = begin(letter)
        if draft == original:
            raise BadEdit(["Nothing was changed. To send it as it is, retry it."])
        found = problems(letter, draft)
        if found.blocking:
            raise BadEdit(found.blocking)
        event_id = str(uuid4())
        body = body_of(letter, draft.text) if draft.text != original.text else bytes(letter.body)
        headers = read_headers(draft.headers) if draft.headers != original.headers else headers_of(letter)
        needs_approval = settings.EDITS_NEED_APPROVAL
        edit = Edit.objects.create(
            letter=letter,
            state=EditState.WAITING if needs_approval else EditState.APPROVED,
            event_id=event_id,
            body=stamped_body(body, event_id, letter.event_id),
            headers=stamped_headers(headers, letter.pk, event_id, letter.event_id),
            key=draft.key if draft.key or letter.key is not None else None,
            note=note.strip().replace("\x00", "")[:1000],
            made_by=actor.name[:150],
            decided_by="" if needs_approval else actor.name[:150],
            decided_at=None if needs_approval else timezone.now(),
        )
        audit.record(
            actor, "edit", f"dead letter {letter.pk}", event_id=event_id, note=edit.note, waits=needs_approval
        )
    return Saved(edit, None) if needs_approval else _send(edit, actor)


def approve(edit_id: int, actor: Actor) -> Saved:
    """A second person lets an edit go: it is sent. Raises NotEditable. Must not run inside a transaction."""
    with transaction.atomic():
        edit = _waiting(edit_id)
        if edit.made_by == actor.name:
            raise NotEditable("You made this edit. A second person has to look at it.")
        if edit.letter.status != Status.OPEN:
            raise NotEditable(
                f"The letter is {edit.letter.get_status_display()} meanwhile. Decline the edit."
            )
        _decide(edit, EditState.APPROVED, actor)
        audit.record(actor, "approve edit", f"dead letter {edit.letter_id}", event_id=edit.event_id)
    return _send(edit, actor)


@transaction.atomic
def decline(edit_id: int, why: str, actor: Actor) -> Edit:
    """Do not let an edit go; the letter can be edited anew. Raises NotEditable."""
    edit = _waiting(edit_id)
    _decide(edit, EditState.DECLINED, actor, why.strip().replace("\x00", "")[:1000])
    audit.record(
        actor, "decline edit", f"dead letter {edit.letter_id}", event_id=edit.event_id, why=edit.decided_note
    )
    return edit


def _send(edit: Edit, actor: Actor) -> Saved:
    try:
        return Saved(edit, starting.start(of_letters([edit.letter_id]), actor))
    except starting.NothingToSend as error:
        return Saved(edit, None, str(error))


def _locked(letter_id: int) -> DeadLetter:
    letter = (
        DeadLetter.objects.select_for_update(of=("self",))
        .select_related("source")
        .filter(pk=letter_id)
        .first()
    )
    if letter is None:
        raise NotEditable(f"There is no dead letter {letter_id}.")
    return letter


def _waiting(edit_id: int) -> Edit:
    found = Edit.objects.filter(pk=edit_id).first()
    if found is None:
        raise NotEditable(f"There is no edit {edit_id}.")
    # The letter first, as everybody who locks both does.
    letter = _locked(found.letter_id)
    edit = Edit.objects.select_for_update().get(pk=edit_id)
    edit.letter = letter
    if edit.state != EditState.WAITING:
        raise NotEditable(f"{edit.decided_by} has decided on it already: it is {edit.state}.")
    return edit


def _decide(edit: Edit, state: EditState, actor: Actor, why: str = "") -> None:
    edit.state, edit.decided_by, edit.decided_at = state, actor.name[:150], timezone.now()
    edit.decided_note = why
    edit.save(update_fields=["state", "decided_by", "decided_at", "decided_note"])
