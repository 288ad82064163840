"""The pages of the review, its API and its command."""

import json
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from eventhub.access.models import AuditEntry
from monitoring.review import docs, running
from monitoring.review.models import Finding, Score, Severity
from monitoring.review.rules import RULES
from tests.traces.building import START, event, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def finding():
    store(*(event(f"i{n}", "billing.send_invoice", source="billing") for n in range(3)), txid=10)
    running.run(settle_s=0, now=START + timedelta(minutes=2))
    return Finding.objects.get(rule="event-as-command")


@pytest.fixture
def today(finding):
    """The scores are of the day of the events; pages look at the last weeks."""
    Score.objects.update(day=timezone.now().date())


def test_every_rule_has_its_page_with_why_and_a_bad_and_a_better_example(browser):
    for rule in RULES:
        assert {"", "Why it matters", "Bad", "Better", "How it is found", "What to do"} <= set(
            docs.sections(rule.key)
        )
        page = browser.get(f"/review/rules/{rule.key}/")
        assert page.status_code == 200
        assert rule.title in page.content.decode()
    assert browser.get("/review/rules/no-such-rule/").status_code == 404


def test_the_list_shows_scores_and_findings_and_filters_them(browser, finding, today):
    page = browser.get("/review/").content.decode()
    assert finding.title in page
    assert "The whole" in page
    assert 'aria-current="page" data-go="r"' in page
    assert finding.title in browser.get("/review/?service=billing&rule=event-as-command").content.decode()
    assert finding.title not in browser.get("/review/?rule=mutated-events").content.decode()
    assert "No finding fits" in browser.get("/review/?state=gone").content.decode()
    assert "Nothing is reviewed yet" not in page


def test_an_empty_review_says_what_comes_next(browser):
    assert "Nothing is reviewed yet" in browser.get("/review/").content.decode()


def test_a_finding_answers_the_six_questions(browser, finding):
    page = browser.get(f"/review/{finding.pk}/").content.decode()
    for heading in ("What", "Where, since when", "Show me", "Why it matters", "What instead"):
        assert f">{heading}</h2>" in page
    assert "/events/i2/" in page
    assert "invoice.sent" in page
    assert "Who sends a command decides what another service does" in page
    assert "12:00" in page


def test_the_report_holds_everything_and_prints(browser, finding, today):
    page = browser.get("/review/report/").content.decode()
    assert finding.title in page
    assert "Why it matters" in page
    assert "data-print" in page


def test_accepting_needs_a_reason_and_an_end_and_is_audited(browser, finding):
    path = f"/review/{finding.pk}/decide"
    until = (timezone.now() + timedelta(days=9)).date().isoformat()
    refused = browser.post(path, {"state": "accepted", "reason": " ", "until": until})
    assert refused.status_code == 422
    assert "Say why" in refused.content.decode()
    assert "Say until when" in browser.post(path, {"state": "accepted", "reason": "x"}).content.decode()
    assert (
        "has passed"
        in browser.post(path, {"state": "accepted", "reason": "x", "until": "2020-01-01"}).content.decode()
    )
    assert browser.post(path, {"state": "gone", "reason": "x"}).status_code == 422
    assert (
        browser.post(path, {"state": "accepted", "reason": "next month", "until": until}).status_code == 302
    )
    finding.refresh_from_db()
    assert (finding.state, finding.decided_by, finding.reason) == ("accepted", "ada", "next month")
    assert AuditEntry.objects.filter(action="accept").count() == 1
    browser.post(path, {"state": "open"})
    finding.refresh_from_db()
    assert (finding.state, finding.reason, finding.expires_at) == ("open", "", None)
    assert [change.what for change in finding.changes.all()] == ["reopened", "accepted", "found"]


def test_who_may_only_read_cannot_decide(finding, django_user_model):
    client = Client()
    client.force_login(django_user_model.objects.create_user("vic"))
    assert (
        client.post(f"/review/{finding.pk}/decide", {"state": "suppressed", "reason": "x"}).status_code == 403
    )
    page = client.get(f"/review/{finding.pk}/").content.decode()
    assert "Ask an administrator" in page
    assert "<textarea" not in page


def test_a_suppressed_finding_is_neither_shown_nor_counted(browser, finding):
    browser.post(f"/review/{finding.pk}/decide", {"state": "suppressed", "reason": "a queue of its own"})
    running.judge(now=START + timedelta(minutes=3))
    assert finding.title not in browser.get("/review/").content.decode()
    assert finding.title in browser.get("/review/?state=suppressed").content.decode()
    finding.refresh_from_db()
    assert finding.state == "suppressed"
    assert Score.objects.get(service="billing", day=START.date()).findings == 0


def test_the_api_lists_pages_tells_and_decides(browser, finding):
    for n in range(3):
        Finding.objects.create(
            rule="event-as-command", service="shop", subject=f"t{n}", severity=Severity.ADVICE, title=f"t{n}",
            first_at=START, last_at=START,
        )  # fmt: skip
    first = browser.get("/api/review/findings?limit=3").json()
    assert [one["severity"] for one in first["items"]] == ["flaw", "advice", "advice"]
    rest = browser.get(f"/api/review/findings?limit=3&cursor={first['next_cursor']}").json()
    assert ([one["subject"] for one in rest["items"]], rest["next_cursor"]) == (["t2"], None)
    assert browser.get("/api/review/findings?cursor=nonsense").status_code == 400
    assert len(browser.get("/api/review/findings?service=billing&severity=flaw").json()["items"]) == 1
    one = browser.get(f"/api/review/findings/{finding.pk}").json()
    assert one["evidence"][0]["label"] == "billing.send_invoice"
    path = f"/api/review/findings/{finding.pk}/decision"
    refused = browser.post(path, {"state": "suppressed"}, content_type="application/json")
    assert (refused.status_code, refused.json()["detail"][:8]) == (422, "Say why:")
    decided = browser.post(path, {"state": "suppressed", "reason": "ours"}, content_type="application/json")
    assert decided.json()["state"] == "suppressed"
    assert browser.get("/api/review/scores").json()["judged_at"]


def test_the_command_tells_in_words_json_and_junit_and_fails_a_pipeline(finding, capsys):
    with pytest.raises(SystemExit) as ended:
        call_command("review")
    assert ended.value.code == 1
    assert "FLAW   billing sends commands" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        call_command("review", "--format", "json")
    assert json.loads(capsys.readouterr().out)["findings"][0]["subject"] == "billing.send_invoice"
    with pytest.raises(SystemExit):
        call_command("review", "--format", "junit")
    suite = ElementTree.fromstring(capsys.readouterr().out)
    assert (suite.get("failures"), suite.get("tests")) == ("1", str(len(RULES)))
    call_command("review", "--fail-on", "broken")
    call_command("review", "--service", "shop")
    Finding.objects.update(state="accepted", expires_at=timezone.now() + timedelta(days=1))
    call_command("review")
    assert "accepted until" in capsys.readouterr().out


def test_the_command_reads_what_is_new_when_asked_to():
    store(event("x", "order.cancel", source="shop", recorded_at=timezone.now()), txid=10)
    with pytest.raises(SystemExit):
        call_command("review", "--run")
    assert Finding.objects.get().subject == "order.cancel"


def test_exceptions_and_words_are_kept_in_the_admin(browser):
    form = {"rule": "event-as-command", "pattern": "legacy.*", "service": "", "reason": "goes next year"}
    assert browser.post("/admin/review/exemption/add/", form).status_code == 302
    assert (
        browser.post("/admin/review/word/add/", {"word": "Yeet", "kind": "command", "note": ""}).status_code
        == 302
    )
    assert "legacy.*" in browser.get("/admin/review/exemption/").content.decode()
    assert "yeet" in browser.get("/admin/review/word/").content.decode()
