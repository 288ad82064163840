import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import redis
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from dlq import counts, intake, outcomes
from dlq.edits import drafting, editing
from dlq.edits.drafting import Draft
from dlq.edits.editing import BadEdit, NotEditable
from dlq.edits.identity import pretty, stamped_body, stamped_headers
from dlq.jobs.options import Options
from dlq.jobs.sending import Packer
from dlq.models import DeadLetter, Edit, Retry, Status
from eventhub.access.audit import Actor
from eventhub.access.models import AuditEntry
from eventhub.brokers.models import Source
from eventhub.events.receipts import Receipt
from eventhub.ingest.pipeline import Pipeline
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion, ValidationMode
from tests.dlq.letters import dead_message, order_paid, service_failure
from tests.dlq.sending import run

ANNA, BEN = Actor("anna"), Actor("ben")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def letter(shop_dead_letters: Source) -> DeadLetter:
    with transaction.atomic():
        intake.record(shop_dead_letters, [service_failure(1)])
    return DeadLetter.objects.get()


def repaired(letter: DeadLetter, **data: Any) -> Draft:
    draft = drafting.begin(letter)
    body = json.loads(draft.text)
    body["data"] |= data
    return Draft(json.dumps(body, indent=2), draft.headers, draft.key)


class Sent(msgspec.Struct):
    """A message in the stream that the letters came from."""

    body: bytes
    headers: dict[str, str]


@pytest.fixture
def stream() -> Iterator[Any]:
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete("shop.orders")
    yield client
    client.delete("shop.orders")
    client.close()


def published(stream: Any) -> list[Sent]:
    entries = [
        {name.decode(): value for name, value in entry.items()} for _, entry in stream.xrange("shop.orders")
    ]
    return [
        Sent(entry.pop("body"), {name: value.decode() for name, value in entry.items()}) for entry in entries
    ]


def test_the_edit_goes_out_as_a_new_event_caused_by_the_original(letter: DeadLetter, stream: Any) -> None:
    saved = editing.save(letter.pk, repaired(letter, amount=12), "the amount was wrong", ANNA)
    assert saved.job is not None
    run(saved.job)

    [message] = published(stream)
    sent = json.loads(message.body)
    assert sent["event_id"] == saved.edit.event_id != "evt-1"
    assert sent["metadata"]["causation_id"] == "evt-1"
    assert sent["metadata"]["correlation_id"] == "order-1"
    assert sent["data"] == {"order_id": 8412, "amount": 12}
    assert message.headers["eventhub-edit-of"] == str(letter.pk)
    letter.refresh_from_db()
    assert letter.status == Status.SENT
    assert json.loads(bytes(letter.body))["data"]["amount"] == 49.5
    assert AuditEntry.objects.filter(action="edit", actor="anna", target=f"dead letter {letter.pk}").exists()


def test_a_letter_is_edited_once_and_the_second_edit_is_refused_with_words(
    letter: DeadLetter, stream: Any
) -> None:
    editing.save(letter.pk, repaired(letter, amount=12), "", ANNA)
    with pytest.raises(NotEditable, match="edited already, by anna"):
        editing.save(letter.pk, repaired(letter, amount=13), "", BEN)
    assert Edit.objects.count() == 1


def test_the_edit_and_its_letter_are_resolved_by_the_receipt_for_the_new_event(
    letter: DeadLetter, stream: Any
) -> None:
    saved = editing.save(letter.pk, repaired(letter, amount=12), "", ANNA)
    assert saved.job is not None
    run(saved.job)
    with transaction.atomic():
        outcomes.observe(
            [], [Receipt(saved.edit.event_id, None, "shipping", True, None, 1, "", "", None, timezone.now())]
        )
    letter.refresh_from_db()
    assert (letter.status, letter.closed_note) == (Status.RESOLVED, "shipping processed the event.")
    assert Retry.objects.get().state == "succeeded"


@pytest.mark.parametrize("copies_headers", [True, False])
def test_an_edit_that_dies_again_is_a_letter_of_its_own_and_can_be_edited(
    letter: DeadLetter, stream: Any, copies_headers: bool
) -> None:
    saved = editing.save(letter.pk, repaired(letter, amount=12), "", ANNA)
    assert saved.job is not None
    run(saved.job)
    [sent] = published(stream)
    headers = {
        name: value for name, value in sent.headers.items() if copies_headers and name.startswith("eventhub-")
    }

    with transaction.atomic():
        intake.record(letter.source, [service_failure(9, body=sent.body, headers=headers)])

    letter.refresh_from_db()
    second = DeadLetter.objects.exclude(pk=letter.pk).get()
    assert letter.status == Status.RESOLVED
    assert "died again" in letter.closed_note
    assert (second.status, second.event_id) == (Status.OPEN, saved.edit.event_id)
    assert counts.open_letters().letters == 1
    editing.refuse_edit(second)


def test_what_is_not_json_or_unchanged_is_not_saved(letter: DeadLetter) -> None:
    draft = drafting.begin(letter)
    with pytest.raises(BadEdit, match="Nothing was changed"):
        editing.save(letter.pk, draft, "", ANNA)
    with pytest.raises(BadEdit, match="Line 2, column"):
        editing.save(letter.pk, Draft('{"event_id":\n oops}', draft.headers, ""), "", ANNA)
    with pytest.raises(BadEdit, match="line 1"):
        editing.save(letter.pk, Draft(draft.text, "no colon", ""), "", ANNA)
    assert not Edit.objects.exists()


@pytest.mark.parametrize("mode", [ValidationMode.ENFORCE, ValidationMode.WARN])
def test_the_schema_speaks_first(letter: DeadLetter, stream: Any, mode: ValidationMode) -> None:
    kind = EventType.objects.create(name="order.paid", validation=mode)
    schema = {"type": "object", "properties": {"amount": {"type": "number"}}}
    SchemaVersion.objects.create(event_type=kind, version="1", schema=schema, status=SchemaStatus.ACTIVE)
    drafting._thread.__dict__.clear()

    wrong = repaired(letter, amount="much")
    found = drafting.problems(letter, wrong)
    assert found.checked_by == "the schema of order.paid 1"
    if mode == ValidationMode.WARN:
        assert found.blocking == []
        assert "$.amount" in found.warnings[0]
    else:
        with pytest.raises(BadEdit, match=r"\$\.amount"):
            editing.save(letter.pk, wrong, "", ANNA)
    assert drafting.problems(letter, repaired(letter, amount=5)) == drafting.Problems(
        checked_by=found.checked_by
    )


def test_with_four_eyes_an_edit_waits_for_a_second_person(
    letter: DeadLetter, stream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "EDITS_NEED_APPROVAL", True)
    saved = editing.save(letter.pk, repaired(letter, amount=12), "", ANNA)
    assert saved.job is None
    assert published(stream) == []
    with pytest.raises(NotEditable, match="A second person"):
        editing.approve(saved.edit.pk, ANNA)

    approved = editing.approve(saved.edit.pk, BEN)

    assert approved.job is not None
    run(approved.job)
    assert len(published(stream)) == 1
    with pytest.raises(NotEditable, match="ben has decided"):
        editing.decline(saved.edit.pk, "no", Actor("carl"))


def test_a_declined_edit_is_kept_and_the_letter_can_be_edited_anew(
    letter: DeadLetter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "EDITS_NEED_APPROVAL", True)
    first = editing.save(letter.pk, repaired(letter, amount=12), "", ANNA).edit
    editing.decline(first.pk, "the amount was right", BEN)
    editing.save(letter.pk, repaired(letter, amount=13), "", ANNA)
    assert list(Edit.objects.values_list("state", "decided_note")) == [
        ("declined", "the amount was right"),
        ("waiting", ""),
    ]


def test_a_retry_that_failed_before_the_edit_does_not_pass_for_the_edit(letter: DeadLetter) -> None:
    edit = Edit(letter=letter, decided_at=timezone.now())
    from dlq.edits.message import is_of_edit

    assert not is_of_edit(Retry(requested_at=timezone.now() - timedelta(hours=1)), edit)


def test_an_invalid_event_is_repaired_and_stored(shop: Source, stream: Any) -> None:
    kind = EventType.objects.create(name="order.paid", validation=ValidationMode.ENFORCE)
    schema = {"type": "object", "properties": {"amount": {"type": "number"}}}
    SchemaVersion.objects.create(event_type=kind, version="1", schema=schema, status=SchemaStatus.ACTIVE)
    drafting._thread.__dict__.clear()
    body = json.loads(order_paid("evt-7"))
    body["data"]["amount"] = "much"
    pipeline = Pipeline(shop)
    message = dead_message(7, body=json.dumps(body).encode())
    pipeline.write(pipeline.prepare([message]))
    letter = DeadLetter.objects.select_related("source").get()

    saved = editing.save(letter.pk, repaired(letter, amount=5), "", ANNA)
    assert saved.job is not None
    run(saved.job)
    packed = Packer(Options()).pack([Retry.objects.get().pk])
    sent = packed.parcels[0].message
    again = type(message)(
        body=sent.body, topic="shop.orders", offset="8-0", origin_key="x", headers=dict(sent.headers)
    )
    pipeline.write(pipeline.prepare([again]))

    letter.refresh_from_db()
    assert letter.status == Status.RESOLVED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["1.10", "1e3", "12345678901234567890123"]))
def test_stamping_changes_nothing_but_id_and_cause(data: Any, number: str) -> None:
    rest = f'"data": [{json.dumps(data)}, {number}], "metadata": {{"x": {number}}}'
    text = f'{{"event_id": "a", "event_type": "t", {rest}}}'
    stamped = stamped_body(text.encode(), "new", "a")
    before, after = json.loads(text, parse_float=str), json.loads(stamped, parse_float=str)
    assert (after["event_id"], after["metadata"].pop("causation_id")) == ("new", "a")
    assert {**after, "event_id": "a"} == before
    assert number.encode() in stamped


@given(st.binary(max_size=60))
def test_no_body_breaks_the_stamp(body: bytes) -> None:
    stamped_body(body, "new", "old")
    pretty(body)


def test_a_cloud_event_in_headers_gets_its_new_id_there() -> None:
    headers = stamped_headers([("ce_id", "a"), ("ce_type", "t"), ("X", "y")], 7, "new", "a")
    assert headers == [
        ("ce_id", "new"), ("ce_causationid", "a"), ("ce_type", "t"), ("X", "y"),
        ("eventhub-edit-of", "7"), ("eventhub-caused-by", "a"),
    ]  # fmt: skip
