import html
import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dlq import closing, counts, intake, listing
from dlq.body import look_at, pieces
from dlq.edits import drafting
from dlq.filter import Filter
from dlq.models import DeadLetter, DeadLetterGroup, Status
from eventhub.access.audit import Actor
from eventhub.access.models import AuditEntry, Role
from eventhub.brokers.models import Source
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion
from tests.access.people import person
from tests.dlq.letters import broken, service_failure

pytestmark = pytest.mark.django_db
HTMX = {"hx-request": "true"}


@pytest.fixture
def letters(shop: Source, shop_dead_letters: Source) -> list[DeadLetter]:
    with transaction.atomic():
        intake.record(shop_dead_letters, [service_failure(n) for n in range(3)])
        intake.record(shop, [broken(n) for n in range(2)])
    return list(DeadLetter.objects.order_by("pk"))


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(person(Role.OPERATOR, "otto"))
    return client


@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("vera"))
    return client


def test_the_page_shows_groups_and_the_loudest_ones_letters(operator: Client, letters: Any) -> None:
    page = operator.get("/dead-letters/").content.decode()
    groups = page[page.index("group-cards") :]
    assert groups.index("CarrierTimeout") < groups.index("NotAnEvent")
    assert "The carrier did not answer in 2 s for order 8402" in page
    assert "Retry all 3…" in page


def test_an_empty_list_says_what_it_is_for(operator: Client, db: Any) -> None:
    assert b"Nothing is open" in operator.get("/dead-letters/").content
    assert b"No dead letter fits this filter" in operator.get("/dead-letters/?q=zebra").content


def test_the_page_costs_the_same_number_of_statements_however_many_letters(
    operator: Client, shop: Source, letters: Any
) -> None:
    operator.get("/dead-letters/")
    with CaptureQueriesContext(connection) as few:
        operator.get("/dead-letters/")
    with transaction.atomic():
        intake.record(shop, [broken(n, message=f"Way {'x' * (n % 9)} it died") for n in range(10, 200)])
    with CaptureQueriesContext(connection) as many:
        operator.get("/dead-letters/")
    assert len(many) <= len(few) <= 20


def test_a_search_finds_by_message_trace_event_and_number(letters: list[DeadLetter]) -> None:
    def found(q: str) -> list[int]:
        return sorted(letter.pk for letter in listing.letters(Filter(q=q), 50))

    assert found("order 8401") == [letters[1].pk]
    assert found("order-2") == [letters[2].pk]
    assert found("evt-0") == [letters[0].pk]
    assert found(f"#{letters[4].pk}")[-1:] == [letters[4].pk]
    assert found("carriertimeout") == [letter.pk for letter in letters[:3]]
    assert found("100%") == found("\\") == []


def test_viewers_see_disabled_buttons_with_the_reason_and_get_a_403(viewer: Client, letters: Any) -> None:
    page = viewer.get("/dead-letters/").content.decode()
    assert "You can read dead letters, not change them" in page
    assert "data-letter " not in page
    pk = letters[0].pk
    assert "disabled" in viewer.get(f"/dead-letters/{pk}/").content.decode()
    refused = viewer.post("/dead-letters/discard/", {"letter": pk, "reason": "x"}, headers=HTMX)
    assert (refused.status_code, refused["Content-Type"]) == (403, "text/plain")
    assert viewer.post("/dead-letters/discard/", {"letter": pk, "reason": "x"}).status_code == 403
    assert Client().get("/dead-letters/").status_code == 302


def test_the_retry_sheet_says_where_to_and_what_will_happen(operator: Client, letters: Any) -> None:
    sheet = operator.get(
        "/dead-letters/retry/", {"all_of": letters[0].group_id}, headers=HTMX
    ).content.decode()
    assert "stream shop.orders" in sheet
    assert "not only shipping" in sheet
    assert "Send 3 again" in sheet
    assert f"&quot;group&quot;:{letters[0].group_id}" in sheet


def test_discarding_a_selection_asks_for_a_reason_and_is_audited(operator: Client, letters: Any) -> None:
    chosen = [letters[0].pk, letters[1].pk]
    missing = operator.post("/dead-letters/discard/", {"letter": chosen, "reason": " "}, headers=HTMX)
    assert missing.status_code == 422
    assert "Say why" in missing.content.decode()

    done = operator.post("/dead-letters/discard/", {"letter": chosen, "reason": "test data"}, headers=HTMX)
    assert done.status_code == 204
    assert "dead-letters-changed" in done["HX-Trigger"]
    assert DeadLetter.objects.filter(status=Status.DISCARDED).count() == 2
    assert AuditEntry.objects.get(action="discard").detail == {"letters": chosen, "reason": "test data"}
    assert counts.open_letters().letters == 3

    again = operator.post("/dead-letters/discard/", {"letter": chosen, "reason": "x"}, headers=HTMX)
    assert "It is discarded already." in again.content.decode()

    operator.post("/dead-letters/reopen/", {"letter": chosen}, headers=HTMX)
    assert counts.open_letters().letters == 5


def test_a_letter_shows_its_body_stack_headers_and_failure(operator: Client, letters: Any) -> None:
    page = operator.get(f"/dead-letters/{letters[0].pk}/").content.decode()
    for words in (
        "shipping gave up on order.paid after 3 attempts",
        "shop/carrier.py",
        "dlq-group",
        "order-0",
    ):
        assert words in page
    assert operator.get(f"/dead-letters/{letters[0].pk}/raw/").content == bytes(letters[0].body)
    assert operator.get("/dead-letters/999/").status_code == 404


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (None, "there is none for it"),
        ({"type": "object", "required": ["order_id"]}, "It fits the schema of order.paid 1"),
        (
            {"type": "object", "properties": {"order_id": {"type": "string"}}},
            "It breaks the schema of order.paid 1 of today",
        ),
    ],
)
def test_a_letter_says_what_todays_schema_finds_in_it(
    operator: Client, letters: list[DeadLetter], schema: dict[str, Any] | None, said: str
) -> None:
    if schema is not None:
        order_paid, _ = EventType.objects.get_or_create(name="order.paid")
        SchemaVersion.objects.create(
            event_type=order_paid, version="1", status=SchemaStatus.ACTIVE, schema=schema
        )
    drafting._thread.__dict__.clear()
    page = operator.get(f"/dead-letters/{letters[0].pk}/").content.decode()
    assert said in page
    assert ("schema-findings" in page and "$.order_id" in page) == ("breaks" in said)
    drafting._thread.__dict__.clear()


def test_what_is_shown_can_be_exported_whole(operator: Client, letters: list[DeadLetter]) -> None:
    page = operator.get("/dead-letters/?group=all&q=order+8402").content.decode()
    link = html.unescape(re.findall(r'href="(/api/dead-letters.csv[^"]*)"', page)[0])
    lines = b"".join(operator.get(link).streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2
    assert lines[1].startswith(f"{letters[2].pk},open,service,")

    group = letters[3].group_id
    page = operator.get(f"/dead-letters/?group={group}").content.decode()
    link = html.unescape(re.findall(r'href="(/api/dead-letters.jsonl[^"]*)"', page)[0])
    rows = [json.loads(line) for line in b"".join(operator.get(link).streaming_content).splitlines()]  # type: ignore[attr-defined]
    assert [row["id"] for row in rows] == [letters[4].pk, letters[3].pk]


def test_a_huge_body_is_shown_in_part(operator: Client, shop: Source) -> None:
    with transaction.atomic():
        intake.record(shop, [broken(1, body=b"a" * 10_000_000)])
    page = operator.get(f"/dead-letters/{DeadLetter.objects.get().pk}/").content
    assert len(page) < 200_000
    assert b"The download has all of it" in page


def test_new_letters_gather_behind_a_number(operator: Client, shop: Source, letters: Any) -> None:
    newest = letters[-1].pk
    path = f"/dead-letters/news/?group={letters[-1].group_id}&after={newest}"
    assert b"new-rows" not in operator.get(path).content
    with transaction.atomic():
        intake.record(shop, [broken(77)])
    assert b"<b>1</b> new" in operator.get(path).content


def test_odd_addresses_are_survived(operator: Client, letters: Any) -> None:
    for query in (
        "group=abc", "group=99999999", "cursor=zzz&group=1", "groups_after=!!", "status=nonsense", "q=%00", "q=%25",
    ):  # fmt: skip
        assert operator.get(f"/dead-letters/?{query}").status_code == 200, query
    assert operator.get("/dead-letters/retry/?all_of=x&letter=y").status_code == 200


def test_the_command_lists_discards_and_refuses_to_take_everything(
    letters: list[DeadLetter], capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("dlq", "list", "--reason", "undecodable")
    assert len(capsys.readouterr().out.splitlines()) == 2
    call_command("dlq", "discard", "--group", str(letters[0].group_id), "--because", "test data")
    assert DeadLetter.objects.filter(status=Status.DISCARDED).count() == 3
    with pytest.raises(CommandError, match="Name letters by id"):
        call_command("dlq", "retry")


def test_only_a_sent_letter_can_be_marked_as_resolved(letters: list[DeadLetter]) -> None:
    refused = closing.resolve([letters[0].pk, 999_999], "seen", Actor("anna")).refused
    assert "Only a letter that was sent" in refused[0].why
    assert "There is no dead letter 999999" in refused[1].why


def test_the_admin_shows_and_changes_nothing(admin_client: Client, letters: list[DeadLetter]) -> None:
    assert admin_client.get("/admin/dlq/deadletter/").status_code == 200
    page = f"/admin/dlq/deadletter/{letters[0].pk}/change/"
    assert admin_client.get(page).status_code == 200
    assert admin_client.post(page, {"status": "resolved"}).status_code == 403
    assert admin_client.get("/admin/dlq/deadlettergroup/").status_code == 200
    assert DeadLetterGroup.objects.count() == 2


def test_what_is_wrong_in_a_body_is_marked() -> None:
    marked = [(piece.text, piece.mark) for piece in pieces(b"ok \x00 \xff\xfe end") if piece.mark]
    assert marked == [("␀", "NUL"), ("\\xff\\xfe", "Not UTF-8, from byte 5")]
    assert look_at(b'{"a": 1}', 8).view == "json"
    assert look_at(b'{"a": ', 6).view == "text"
    assert look_at(bytes(range(128, 256)), 128).view == "hex"
    stopped = [p for p in pieces(b'{"a": x}', 6) if p.mark]
    assert [(p.text, p.mark) for p in stopped] == [("x", "Here, at byte 6, the parser stopped.")]


def test_a_character_cut_by_us_is_not_called_broken() -> None:
    assert all(not piece.mark for piece in pieces("aé".encode()[:2], is_whole=False))
