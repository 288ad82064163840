import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from dlq import intake
from dlq.models import DeadLetter, DeadLetterGroup, Edit, GroupRule, SavedFilter
from eventhub.access.models import Role
from eventhub.brokers.models import Source
from tests.access.people import person
from tests.dlq.letters import broken, service_failure

pytestmark = pytest.mark.django_db(transaction=True)
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


def group(words: str) -> int:
    return DeadLetterGroup.objects.get(title__contains=words).pk


def toast_of(response: Any) -> str:
    return str(json.loads(response["HX-Trigger"])["eventhub:toast"]["text"])


@pytest.mark.parametrize("what", ["assign", "snooze", "fixed", "notes", "regroup"])
def test_every_sheet_about_a_group_opens_and_only_for_operators(
    operator: Client, letters: Any, what: str
) -> None:
    path = f"/dead-letters/groups/{group('CarrierTimeout')}/{what}/"
    assert operator.get(path, headers=HTMX).status_code == 200
    viewer = Client()
    viewer.force_login(User.objects.create_user("vera"))
    assert viewer.get(path, headers=HTMX).status_code == 403


def test_a_group_is_decided_on_from_its_sheets(operator: Client, letters: Any) -> None:
    pk = group("CarrierTimeout")

    def post(what: str, **data: Any) -> Any:
        return operator.post(f"/dead-letters/groups/{pk}/{what}/", data, headers=HTMX)

    assert toast_of(post("assign", who="otto")) == "Assigned to otto."
    assert toast_of(post("notes", text="The carrier is down.")) == "Noted."
    assert "Marked as fixed in 2.4.1" in toast_of(post("fixed", release="2.4.1"))
    assert "Snoozed until it has failed 5 more times" in toast_of(
        post("snooze", until="failures", failures="5")
    )
    assert post("snooze", until="failures", failures="many").status_code == 422
    page = operator.get(f"/dead-letters/?state=mine&group={pk}").content.decode()
    assert "Notes 1" in page
    assert "Fixed in 2.4.1" in page
    assert "Snoozed by otto" in page
    assert "CarrierTimeout" not in operator.get("/dead-letters/", headers=HTMX).content.decode()
    assert "The carrier is down." in operator.get(f"/dead-letters/groups/{pk}/notes/").content.decode()


def test_a_regression_is_said_on_the_page(operator: Client, letters: Any, shop: Source) -> None:
    pk = group("NotAnEvent")
    operator.post(f"/dead-letters/groups/{pk}/fixed/", {"release": "2.4.1"}, headers=HTMX)
    with transaction.atomic():
        intake.record(shop, [broken(9)])
    page = operator.get(f"/dead-letters/?state=regressed&group={pk}").content.decode()
    assert "Regressed:</b> fixed in 2.4.1, failed again" in page


def test_groups_are_merged_on_the_page_and_the_merge_is_undone_there(operator: Client, letters: Any) -> None:
    pk, other = group("CarrierTimeout"), group("NotAnEvent")
    merged = operator.post(f"/dead-letters/groups/{pk}/regroup/", {"group": other}, headers=HTMX)
    assert toast_of(merged) == "Merged 1 group into this one."
    assert "1 other group merged into it" in operator.get(f"/dead-letters/?group={pk}").content.decode()
    assert "Rules in force" in operator.get(f"/dead-letters/groups/{pk}/regroup/").content.decode()
    undone = operator.post(f"/dead-letters/rules/{GroupRule.objects.get().pk}/undo/", headers=HTMX)
    assert toast_of(undone) == "Undone."


def test_a_filter_is_kept_shared_and_used(operator: Client, letters: Any) -> None:
    current = {"hx-current-url": "http://testserver/dead-letters/?service=shipping&cursor=x"}
    assert (
        "service=shipping" in operator.get("/dead-letters/filters/", headers=HTMX | current).content.decode()
    )
    data = {"name": "Shipping", "query": "service=shipping&cursor=x&group=4", "shared": "1"}
    operator.post("/dead-letters/filters/", data, headers=HTMX)
    kept = SavedFilter.objects.get()
    assert (kept.query, kept.is_shared) == ("service=shipping", True)
    other = Client()
    other.force_login(User.objects.create_user("vera"))
    assert "?service=shipping" in other.get("/dead-letters/filters/").content.decode()
    other.post(f"/dead-letters/filters/{kept.pk}/forget/", headers=HTMX)
    assert SavedFilter.objects.exists(), "only its owner deletes it"
    assert (
        operator.post("/dead-letters/filters/", {"name": "x", "query": ""}, headers=HTMX).status_code == 422
    )


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("q=data.order_id+%3D+8412", ["CarrierTimeout"]),
        ("q=topic+%3D+shop.dead-letters", ["CarrierTimeout"]),
        ("q=trace+%3D+order-2", ["CarrierTimeout"]),
        ("service=shipping", ["CarrierTimeout"]),
        ("error=NotAnEvent", ["NotAnEvent"]),
        ("since=24h&status=all", ["CarrierTimeout", "NotAnEvent"]),
        ("state=unassigned", ["CarrierTimeout", "NotAnEvent"]),
        ("state=regressed", []),
        ("state=nonsense", ["CarrierTimeout", "NotAnEvent"]),
    ],
)
def test_the_address_filters_the_groups(operator: Client, letters: Any, query: str, shown: list[str]) -> None:
    DeadLetter.objects.update(last_failed_at="2030-01-01T00:00Z")
    DeadLetterGroup.objects.get(title__contains="CarrierTimeout").counts.update(
        last_failed_at="2030-01-01T00:00Z"
    )
    page = operator.get(f"/dead-letters/?{query}", headers=HTMX).content.decode()
    titles = re.findall(r'group-title">([A-Za-z]+)', page)
    assert sorted(titles) == shown


def test_a_letter_is_edited_on_its_page(operator: Client, letters: list[DeadLetter]) -> None:
    letter = letters[0]
    path = f"/dead-letters/{letter.pk}/edit/"
    page = operator.get(path).content.decode()
    assert "&quot;order_id&quot;: 8412" in page
    body = json.loads(bytes(letter.body))
    body["data"]["amount"] = 12
    typed = {"body": json.dumps(body, indent=2), "headers": "content-type: application/json", "key": ""}
    checked = operator.post(f"{path}check/", typed, headers=HTMX).content.decode()
    assert "diff-row is-changed" in checked
    assert "49.5" in checked
    wrong = operator.post(path, typed | {"body": "{"}, headers=HTMX)
    assert wrong.status_code == 422
    assert "Line 1, column 2" in wrong.content.decode()

    saved = operator.post(path, typed | {"note": "wrong amount"}, headers=HTMX)
    assert saved["HX-Redirect"] == f"/dead-letters/{letter.pk}/"
    assert Edit.objects.get().note == "wrong amount"
    detail = operator.get(f"/dead-letters/{letter.pk}/").content.decode()
    assert "Edited by otto" in detail
    again = operator.get(path)
    assert again.status_code == 409
    assert "It was edited already, by otto" in again.content.decode()


def test_a_letter_says_what_a_retry_will_do_and_shows_its_group(
    operator: Client, letters: list[DeadLetter]
) -> None:
    page = operator.get(f"/dead-letters/{letters[0].pk}/").content.decode()
    assert (
        "A retry publishes it, byte for byte, to stream shop.orders (Redis Streams), same event id, attempt 4."
        in page
    )
    assert "Others of its group" in page


def test_a_second_person_approves_on_the_page(
    operator: Client, letters: list[DeadLetter], settings: Any
) -> None:
    settings.EDITS_NEED_APPROVAL = True
    anna = User.objects.create_user("anna", is_staff=True)
    author = Client()
    author.force_login(anna)
    letter = letters[0]
    body = json.loads(bytes(letter.body)) | {"data": {}}
    author.post(
        f"/dead-letters/{letter.pk}/edit/", {"body": json.dumps(body), "headers": "", "key": ""}, headers=HTMX
    )
    edit = Edit.objects.get()
    assert "1 edit to approve" in operator.get("/dead-letters/").content.decode()
    assert f"#{letter.pk}" in operator.get("/dead-letters/edits/").content.decode()
    own = author.post(f"/dead-letters/edits/{edit.pk}/", {"verdict": "approve"}, headers=HTMX)
    assert "A second person" in toast_of(own)
    operator.post(f"/dead-letters/edits/{edit.pk}/", {"verdict": "approve"}, headers=HTMX)
    edit.refresh_from_db()
    assert (edit.state, edit.decided_by) == ("approved", "otto")
