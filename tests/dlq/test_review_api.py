import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from django.utils import timezone

from dlq import closing, intake
from dlq.models import DeadLetter, DeadLetterGroup
from eventhub.access.audit import Actor
from eventhub.access.models import AuditEntry, Scope
from eventhub.access.tokens import create_token
from eventhub.brokers.models import Source
from tests.dlq.letters import broken, service_failure

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def letters(shop: Source, shop_dead_letters: Source) -> list[DeadLetter]:
    with transaction.atomic():
        intake.record(shop_dead_letters, [service_failure(n) for n in range(3)])
        intake.record(shop, [broken(n, message="=1+1", body=b"\xff") for n in range(2)])
    return list(DeadLetter.objects.order_by("pk"))


class Script:
    """A client with a token."""

    def __init__(self, scope: Scope) -> None:
        self.headers = {"Authorization": f"Bearer {create_token(f'script-{scope}', scope)}"}

    def get(self, path: str) -> Any:
        return Client().get(f"/api{path}", headers=self.headers)

    def post(self, path: str, **body: Any) -> Any:
        return Client().post(
            f"/api{path}", json.dumps(body), content_type="application/json", headers=self.headers
        )


@pytest.fixture
def script(db: Any) -> Script:
    return Script(Scope.OPERATE)


def test_groups_are_decided_on(script: Script, letters: Any) -> None:
    first, second = (DeadLetterGroup.objects.get(title__contains=one).pk for one in ("Carrier", "NotAn"))
    at = f"/dead-letter-groups/{first}"
    assert script.post(f"{at}/fixed", release="2.0").json()["fixed_in"] == "2.0"
    assert script.post(f"{at}/snooze", failures=3).json()["snoozed_until_failures"] == 6
    assert script.post(f"{at}/snooze").json()["snoozed_until_failures"] is None
    assert script.post(f"{at}/assign", username="nobody").status_code == 422
    assert script.post(f"{at}/comments", text="hello").json()["author"] == f"token script-{Scope.OPERATE}"
    assert [one["text"] for one in script.get(f"{at}/comments").json()] == ["hello"]
    [rule] = script.post(f"{at}/merge", groups=[second]).json()
    assert rule["settled_at"]
    assert script.post(f"/dead-letter-rules/{rule['id']}/undo").json()["undone_by"]
    assert script.post(f"{at}/split", field="shoe size").status_code == 422
    assert len(script.get("/dead-letter-rules").json()) == 1
    assert script.get("/dead-letter-groups?state=fixed").json()["items"][0]["id"] == first


def test_a_reader_decides_nothing(letters: Any) -> None:
    reader = Script(Scope.READ)
    at = f"/dead-letter-groups/{letters[0].group_id}"
    assert reader.post(f"{at}/fixed", release="2.0").status_code in (401, 403)
    assert reader.post(f"/dead-letters/{letters[0].pk}/edit", body="{}").status_code in (401, 403)
    assert reader.get("/dead-letter-filters").json() == []


def test_a_letter_is_checked_and_edited_once(script: Script, letters: list[DeadLetter]) -> None:
    at = f"/dead-letters/{letters[0].pk}"
    body = json.loads(bytes(letters[0].body)) | {"data": {"order_id": 1}}
    assert script.post(f"{at}/edit/check", body="{").json()["blocking"][0].startswith("Line 1")
    assert script.post(f"{at}/edit", body="{").status_code == 422
    made = script.post(f"{at}/edit", body=json.dumps(body), note="wrong order").json()
    assert (made["state"], made["note"]) == ("approved", "wrong order")
    again = script.post(f"{at}/edit", body=json.dumps(body))
    assert again.status_code == 409
    assert "edited already" in again.json()["detail"]
    assert len(script.get(f"{at}/edits").json()) == 1


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("attribute=data.order_id%3D8412", 3),
        ("topic=shop.dead-letters", 3),
        ("failed_in=shipping&status=open", 3),
        ("error_class=NotAnEvent", 2),
        ("since=2099-01-01T00:00:00Z", 0),
    ],
)
def test_letters_are_found(script: Script, letters: Any, query: str, count: int) -> None:
    assert len(script.get(f"/dead-letters?{query}").json()["items"]) == count


def test_an_attribute_that_is_none_is_refused_with_words(script: Script, letters: Any) -> None:
    answer = script.get("/dead-letters?attribute=order")
    assert answer.status_code == 422
    assert "data.order_id = 8412" in answer.json()["detail"]


def test_exports_hold_every_letter_and_no_formula(
    script: Script, letters: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlq.exporting.CHUNK", 2)
    text = b"".join(script.get("/dead-letters.csv?status=open").streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [int(row["id"]) for row in rows] == sorted((one.pk for one in letters), reverse=True)
    assert rows[0]["error_message"] == "'=1+1"

    lines = b"".join(script.get("/dead-letters.jsonl").streaming_content).decode().splitlines()
    objects = [json.loads(line) for line in lines]
    assert len(objects) == 5
    assert objects[0]["body_base64"] == "/w=="
    assert json.loads(objects[-1]["body"])["event_type"] == "order.paid"
    assert AuditEntry.objects.filter(action="export").count() == 2


def test_the_command_exports_searches_and_drops(letters: Any, capsys: Any) -> None:
    call_command("dlq", "export", "--where", "data.order_id = 8412")
    assert len(capsys.readouterr().out.splitlines()) == 4
    call_command("dlq", "export", "--format", "jsonl", "--error-class", "NotAnEvent")
    assert len(capsys.readouterr().out.splitlines()) == 2
    call_command("dlq", "list", "--failed-in", "shipping", "--until", "2099-01-01T00:00")
    assert len(capsys.readouterr().out.splitlines()) == 3
    with pytest.raises(CommandError, match="DEAD_LETTER_RETENTION_DAYS"):
        call_command("dlq", "drop-old")
    closing.discard([letters[0].pk], "old", Actor("anna"))
    DeadLetter.objects.filter(pk=letters[0].pk).update(closed_at=timezone.now() - timedelta(days=9))
    call_command("dlq", "drop-old", "--days", "7", "--dry-run")
    assert "1 closed letters would be dropped" in capsys.readouterr().out
    call_command("dlq", "drop-old", "--days", "7")
    assert DeadLetter.objects.count() == 4
