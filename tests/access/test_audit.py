import csv
import json

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from dlq.models import DeadLetter
from eventhub.access import audit, audit_export
from eventhub.access.models import AuditEntry, Role, Scope
from eventhub.events.models import Event
from eventhub.schemas.models import EventType, PersonalField, Treatment
from eventhub.schemas.personal.marks import fields
from tests.access.people import browser, person, script
from tests.access.test_roles import make_letter

pytestmark = pytest.mark.django_db


def sql(text: str, *values: object) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(text, values)


@pytest.fixture
def entry() -> AuditEntry:
    audit.record(audit.SYSTEM, "pause", "source payments", why="=1+1")
    return AuditEntry.objects.get()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE access_auditentry SET action = 'nothing'",
        "UPDATE access_auditentry SET detail = '{}'",
        "UPDATE access_auditentry SET at = now()",
        "DELETE FROM access_auditentry",
    ],
)
def test_the_log_is_append_only_for_sql_too(entry: AuditEntry, change: str) -> None:
    with pytest.raises(IntegrityError, match="append-only"):
        sql(change)
    assert AuditEntry.objects.get().action == "pause"


def test_an_account_can_be_deleted_and_its_deeds_stay_under_its_name() -> None:
    user = User.objects.create_user("ann")
    audit.record(audit.Actor("ann", user.pk), "pause", "source payments")
    user.delete()
    left = AuditEntry.objects.get()
    assert (left.actor, left.user_id) == ("ann", None)


def test_retention_drops_what_is_old_and_says_so(entry: AuditEntry) -> None:
    sql(
        "SET LOCAL session_replication_role = replica; UPDATE access_auditentry SET at = now() - interval '40 days'; "
        "SET LOCAL session_replication_role = DEFAULT"
    )
    audit.record(audit.SYSTEM, "resume", "source payments")
    assert audit_export.drop_old(30, dry_run=True) == 1
    assert AuditEntry.objects.count() == 2
    assert audit_export.drop_old(30) == 1
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {"resume", "drop"}
    assert audit_export.drop_old(0) == 0
    with pytest.raises(IntegrityError):
        sql("DELETE FROM access_auditentry")


def test_administrators_export_it_as_csv_and_json_and_that_is_noted(entry: AuditEntry) -> None:
    client = browser(person(Role.ADMINISTRATOR))
    text = b"".join(client.get("/api/audit.csv?action=pause")).decode()
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["actor"], row["action"], row["target"]) for row in rows] == [
        ("eventhub", "pause", "source payments")
    ]
    lines = b"".join(client.get("/api/audit.jsonl")).splitlines()
    assert json.loads(lines[-1])["detail"] == {"why": "=1+1"}
    assert AuditEntry.objects.filter(action="export", target="audit log").count() == 2


def test_the_export_holds_nothing_that_a_spreadsheet_would_calculate() -> None:
    audit.record(audit.Actor("=cmd|' /C calc'!A0"), "+pause", "@sum(1)")
    lines = "".join(audit_export.csv_lines(audit_export.entries()))
    row = next(csv.DictReader(lines.splitlines()))
    assert [row[name][:2] for name in ("actor", "action", "target")] == ["'=", "'+", "'@"]


def test_the_api_pages_through_it_for_administrators_alone(entry: AuditEntry) -> None:
    audit.record(audit.SYSTEM, "resume", "source payments")
    client = browser()
    first = client.get("/api/audit?limit=1", headers=script(Scope.CONFIGURE)).json()
    assert [one["action"] for one in first["items"]] == ["resume"]
    rest = client.get(f"/api/audit?cursor={first['next_cursor']}", headers=script(Scope.CONFIGURE)).json()
    assert [one["action"] for one in rest["items"]] == ["pause"]
    assert rest["next_cursor"] is None
    assert browser(person(Role.EDITOR)).get("/api/audit").status_code == 403


EMAIL = "ann@example.com"


@pytest.fixture
def letter() -> DeadLetter:
    """A dead letter of a type with personal data."""
    found = make_letter("shop", event_type="customer.signed_up")
    body = json.dumps({"event_type": "customer.signed_up", "data": {"email": EMAIL, "age": 7}}).encode()
    DeadLetter.objects.filter(pk=found.pk).update(body=body, size_bytes=len(body))
    event_type = EventType.objects.create(name="customer.signed_up")
    PersonalField.objects.create(event_type=event_type, path="$.email", treatment=Treatment.MASK)
    fields.forget()
    return found


def addresses(letter: DeadLetter) -> list[str]:
    own = f"/dead-letters/{letter.pk}/"
    return [own, f"{own}body/?view=text", f"{own}raw/", f"/api{own}body", "/api/dead-letters.jsonl"]


def content(answer: object) -> str:
    return b"".join(answer).decode()


def test_personal_data_in_dead_letters_is_masked_for_those_who_may_not_see_it(letter: DeadLetter) -> None:
    client = browser(person(Role.OPERATOR))
    for address in addresses(letter):
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert EMAIL not in content(answer), address
    for address in (f"/dead-letters/{letter.pk}/edit/",):
        refused = client.get(address)
        assert refused.status_code == 403
        assert "holds personal data" in refused.content.decode()
    assert not AuditEntry.objects.filter(action="see personal data").exists()


def test_who_sees_personal_data_is_noted_each_time(letter: DeadLetter) -> None:
    client = browser(person(Role.EDITOR))
    for address in addresses(letter)[1:]:
        assert EMAIL in content(client.get(address)).replace("\\u0040", "@"), address
        entry = AuditEntry.objects.order_by("-pk").first()
        assert entry is not None
        assert (entry.actor, entry.action, entry.target) == (
            "the-editor",
            "see personal data",
            "events of customer.signed_up",
        )
        assert entry.detail["events"] == [f"dead letter {letter.pk}"]
        assert entry.detail["address"] == address.partition("?")[0]


def test_who_sees_an_event_with_personal_data_is_noted(letter: DeadLetter) -> None:
    from eventhub.brokers.models import Source
    from eventhub.events.message import Message
    from eventhub.ingest.pipeline import Pipeline

    body = json.dumps(
        {"event_id": "e-1", "event_type": "customer.signed_up", "data": {"email": EMAIL}}
    ).encode()
    pipeline = Pipeline(Source.objects.get(name="shop"))
    pipeline.write(
        pipeline.prepare(
            [Message(body=body, topic="s", offset="1", origin_key="s/1", timestamp=timezone.now())]
        )
    )
    assert Event.objects.count() == 1
    answer = browser().get("/api/events?event_id=e-1", headers=script(Scope.CONFIGURE))
    assert EMAIL in answer.content.decode()
    entry = AuditEntry.objects.get(action="see personal data")
    assert (entry.actor, entry.detail["events"]) == ("token configure script", ["e-1"])
    masked = browser().get("/api/events?event_id=e-1", headers=script(Scope.READ))
    assert EMAIL not in masked.content.decode()
    assert AuditEntry.objects.filter(action="see personal data").count() == 1
