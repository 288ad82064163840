import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from dlq.jobs import starting
from dlq.jobs.options import Options
from dlq.jobs.selection import of_letters
from dlq.models import DeadLetter, JobState, RedirectRule, RetryJob
from eventhub.access.models import AuditEntry, Role, Scope
from eventhub.access.tokens import create_token
from tests.access.people import person
from tests.dlq.jobs.driven import run_until_it_waits
from tests.dlq.sending import ANNA, run, send_again, sent

pytestmark = pytest.mark.django_db(transaction=True)
HTMX = {"hx-request": "true"}
Died = Callable[..., list[DeadLetter]]


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(person(Role.OPERATOR, "otto"))
    return client


@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("vera"))
    return client


def robot(scope: Scope = Scope.OPERATE) -> Client:
    return Client(headers={"authorization": f"Bearer {create_token('robot', scope)}"})


def press(client: Client, letters: list[DeadLetter], **fields: Any) -> Any:
    data = {"letter": [letter.pk for letter in letters], **fields}
    return client.post("/dead-letters/retry/", data, headers=HTMX)


# -- the sheet ---------------------------------------------------------------------------------------------


def test_one_letter_is_sent_at_once_and_the_sheet_closes(operator: Client, died: Died, redis: Any) -> None:
    [letter] = died(1)
    answer = press(operator, [letter], request_id="r1")
    assert answer.status_code == 204
    assert "Sent 1 letter; the outcome is awaited." in answer["HX-Trigger"]
    assert press(operator, [letter], request_id="r1").status_code == 204, "a double click is the same request"
    assert redis.xlen("shop.orders") == 1


def test_a_canary_becomes_the_progress_of_its_job(operator: Client, died: Died, redis: Any) -> None:
    letters = died(3)
    page = press(operator, letters, how="canary").content.decode()
    job = RetryJob.objects.get()
    assert f'id="job-{job.pk}"' in page
    assert f'hx-get="/dead-letters/jobs/{job.pk}/progress/" hx-trigger="every 1s"' in page
    run_until_it_waits(job)
    progress = operator.get(f"/dead-letters/jobs/{job.pk}/progress/").content.decode()
    assert "waiting for the canary" in progress
    assert "<b>1</b> of 3 sent" in progress
    assert "Pause" in progress


def test_a_sheet_of_a_filter_sends_what_it_showed(operator: Client, died: Died, redis: Any) -> None:
    letters = died(2)
    group = letters[0].group_id
    sheet = operator.get("/dead-letters/retry/", {"all_of": group}, headers=HTMX)
    told = sheet.context["filter"]
    operator.post("/dead-letters/retry/", {"filter": told, "how": "all"}, headers=HTMX)
    assert sent(RetryJob.objects.get()) == [letter.pk for letter in letters]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rate_per_s": "fast"}, "letters a second: 0.01 to 100,000"),
        ({"cap": "0"}, "letters of one key: 1 to 10,000"),
        ({"start_at": "soon"}, "The time to begin at should look like"),
    ],
)
def test_what_cannot_be_meant_is_said_in_the_sheet(
    operator: Client, died: Died, redis: Any, fields: dict[str, str], words: str
) -> None:
    answer = press(operator, died(2), **fields)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not RetryJob.objects.exists()


def test_letters_that_are_on_their_way_are_told_and_nothing_is_made(
    operator: Client, died: Died, redis: Any
) -> None:
    letters = died(2)
    send_again(*[letter.pk for letter in letters])
    page = press(operator, letters).content.decode()
    assert "nothing was changed" in page
    assert "It was sent already, for anna, and its outcome is awaited." in page
    assert RetryJob.objects.count() == 1


# -- the pages ---------------------------------------------------------------------------------------------


def test_a_job_has_a_page_with_every_letters_result_and_a_table_to_take_away(
    operator: Client, died: Died, redis: Any
) -> None:
    letters = died(2)
    homeless = died(1, headers={"dlq-origin-stream": ""}, body=b'=HYPERLINK("x")')
    job = send_again(*[letter.pk for letter in [*letters, *homeless]])

    page = operator.get(f"/dead-letters/jobs/{job.pk}/").content.decode()
    assert "What did not work, the latest first" in page
    assert "does not say where it came from" in page

    table = operator.get(f"/dead-letters/jobs/{job.pk}/results.csv")
    text = b"".join(table.streaming_content).decode()  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["letter"], row["outcome"], row["times_published"]) for row in rows] == [
        (str(letters[0].pk), "published", "1"),
        (str(letters[1].pk), "published", "1"),
        (str(homeless[0].pk), "not_published", "0"),
    ]
    listed = operator.get("/dead-letters/jobs/").content.decode()
    assert "3 chosen letters" in listed
    assert "2 of 3" in listed


def test_results_are_read_a_page_at_a_time(
    operator: Client, died: Died, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlq.views.retrying.RESULTS_A_PAGE", 2)
    letters = died(5)
    send_again(letters[1].pk, letters[3].pk)
    job = send_again(*[letter.pk for letter in letters])
    seen: list[int] = []
    answer = operator.get(f"/dead-letters/jobs/{job.pk}/")
    while True:
        seen += [row.letter_id for row in answer.context["rows"]]
        if not (more := answer.context["more_url"]):
            break
        answer = operator.get(more)
    assert seen == [letter.pk for letter in letters]


def test_people_pause_resume_and_cancel_where_they_look(operator: Client, died: Died, redis: Any) -> None:
    letters = died(2)
    job = starting.start(of_letters([letter.pk for letter in letters]), ANNA, Options(rate_per_s=1_000))
    address = f"/dead-letters/jobs/{job.pk}"
    assert "Paused by otto." in operator.post(f"{address}/pause/", headers=HTMX).content.decode()
    assert "The job is paused already." in operator.post(f"{address}/pause/", headers=HTMX).content.decode()
    operator.post(f"{address}/resume/", headers=HTMX)
    assert "Cancelled by otto." in operator.post(f"{address}/cancel/", headers=HTMX).content.decode()
    assert run(job).state == JobState.CANCELLED
    assert redis.xlen("shop.orders") == 0
    assert operator.post("/dead-letters/jobs/999999/pause/", headers=HTMX).status_code == 404


def test_who_may_only_read_sees_jobs_and_cannot_touch_them(viewer: Client, died: Died, redis: Any) -> None:
    [letter] = died(1)
    job = starting.start(of_letters([letter.pk]), ANNA, Options(rate_per_s=1_000))
    page = viewer.get(f"/dead-letters/jobs/{job.pk}/").content.decode()
    assert f"/dead-letters/jobs/{job.pk}/pause/" not in page
    assert viewer.post(f"/dead-letters/jobs/{job.pk}/cancel/", headers=HTMX).status_code == 403
    assert viewer.post("/dead-letters/retry/", {"letter": letter.pk}, headers=HTMX).status_code == 403


def test_an_empty_page_of_jobs_says_what_to_do(operator: Client, db: Any) -> None:
    assert b"Nothing was sent again yet" in operator.get("/dead-letters/jobs/").content
    assert operator.get("/dead-letters/jobs/?cursor=zzz").status_code == 200
    assert operator.get("/dead-letters/jobs/999/").status_code == 404


def test_redirect_rules_are_kept_in_the_admin_with_who_made_them(admin_client: Client) -> None:
    form = {"pattern": "orders.v1*", "to_topic": "orders.v2", "why": "renamed", "enabled": "on", "source": ""}
    admin_client.post("/admin/dlq/redirectrule/add/", form)
    rule = RedirectRule.objects.get()
    assert (str(rule), rule.created_by) == ("orders.v1* → orders.v2", "admin")
    assert AuditEntry.objects.get(action="create").target == "redirect rule orders.v1* → orders.v2"


# -- the API -----------------------------------------------------------------------------------------------


def test_a_script_looks_first_starts_a_job_and_reads_its_results(died: Died, redis: Any) -> None:
    letters = died(3)
    client = robot()
    asked = {"filter": {"source": "shop-dead-letters"}, "options": {"stop_at": 2}}

    look = client.post("/api/retry-jobs/preflight", asked, content_type="application/json").json()
    assert (look["count"], look["destinations"][0]["exists"]) == (3, False)
    assert "is not there" in look["findings"][0]["text"]
    assert not RetryJob.objects.exists()

    order = asked | {"request_id": "nightly-1"}
    job = client.post("/api/retry-jobs", order, content_type="application/json").json()
    assert (job["state"], job["letters"], job["sent"], job["tally"]["awaited"]) == ("done", 2, 2, 2)
    assert client.post("/api/retry-jobs", order, content_type="application/json").json()["id"] == job["id"]
    assert redis.xlen("shop.orders") == 2

    first = client.get(f"/api/retry-jobs/{job['id']}/results?limit=1").json()
    rest = client.get(f"/api/retry-jobs/{job['id']}/results?cursor={first['next_cursor']}").json()
    assert [item["letter_id"] for item in first["items"] + rest["items"]] == [
        letter.pk for letter in letters[:2]
    ]
    assert client.get("/api/retry-jobs?state=done").json()["items"][0]["requested_by"] == "token robot"
    assert client.get("/api/retry-jobs/999").status_code == 404


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "Say which letters"),
        ({"letters": [1], "filter": {}}, "not both"),
        ({"letters": [1], "options": {"canary": -1}}, "The option canary"),
    ],
)
def test_an_order_that_cannot_be_meant_is_a_422_with_words(asked: Any, words: str, db: Any) -> None:
    answer = robot().post("/api/retry-jobs", asked, content_type="application/json")
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_a_script_pauses_resumes_and_cancels(died: Died, redis: Any) -> None:
    [letter] = died(1)
    client = robot()
    order = {"letters": [letter.pk], "options": {"rate_per_s": 100}}
    job = client.post("/api/retry-jobs", order, content_type="application/json").json()
    address = f"/api/retry-jobs/{job['id']}"
    assert client.post(f"{address}/pause").json()["state"] == "paused"
    assert client.post(f"{address}/pause").status_code == 409
    assert client.post(f"{address}/resume").json()["state"] == "running"
    assert client.post(f"{address}/cancel").json()["state"] == "cancelled"
    assert client.post(f"{address}/explode").status_code == 422
    assert robot(Scope.READ).post(f"{address}/cancel").status_code == 403


# -- the command -------------------------------------------------------------------------------------------


def test_the_command_retries_says_what_it_would_do_and_shows_jobs(
    died: Died, redis: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    letters = died(2)
    call_command("dlq", "retry", "--group", str(letters[0].group_id), "--dry-run")
    assert "Publishes 2 letters to stream shop.orders" in capsys.readouterr().out
    call_command("dlq", "retry", str(letters[0].pk), "--wait")
    out = capsys.readouterr().out
    assert "letter #" in out
    assert "1 sent, outcome awaited" in out
    job = RetryJob.objects.get()
    call_command("dlq", "results", str(job.pk))
    assert capsys.readouterr().out.startswith("letter,event_type,outcome")
    call_command("dlq", "jobs")
    assert "1 of 1 sent, 0 came back" in capsys.readouterr().out
    with pytest.raises(CommandError, match="outcome is awaited"):
        call_command("dlq", "retry", str(letters[0].pk))
    with pytest.raises(CommandError, match="The option cap"):
        call_command("dlq", "retry", str(letters[1].pk), "--cap", "0")


def test_the_command_pauses_resumes_and_cancels(
    died: Died, redis: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    [letter] = died(1)
    call_command("dlq", "retry", str(letter.pk), "--at", "2100-01-01T06:00")
    job = RetryJob.objects.get()
    call_command("dlq", "pause", str(job.pk))
    assert "is paused" in capsys.readouterr().out
    call_command("dlq", "cancel", str(job.pk))
    assert RetryJob.objects.get().state == JobState.CANCELLED
    with pytest.raises(CommandError, match="Only a paused or scheduled job"):
        call_command("dlq", "resume", str(job.pk))
    with pytest.raises(CommandError, match="There is no retry job 77"):
        call_command("dlq", "results", "77")
