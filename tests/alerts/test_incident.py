"""A scripted incident, looked at every five seconds, told to a real SMTP server and to real HTTP receivers."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from eventhub.brokers.models import Kind, Source
from eventhub.traces.models import Instance, Process
from monitoring.alerts import evaluating, sending
from monitoring.alerts.models import Alert, AlertRule, Channel, Condition, Metric, Notice, Silence
from monitoring.lag.groups.asking import store_groups
from monitoring.lag.groups.looking import GroupNow
from monitoring.lag.groups.rules import Status
from monitoring.lag.models import WatchedBroker
from monitoring.rollups.models import Rollup
from tests.alerts.receivers import HttpReceiver, SmtpServer, serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def smtp(settings) -> Iterator[SmtpServer]:
    server = SmtpServer()
    settings.EMAIL_BACKEND = (
        "django.core.mail.backends.smtp.EmailBackend"  # tests would keep mails to themselves
    )
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.PUBLIC_URL = "https://hub.example"
    with serving(server):
        yield server


@pytest.fixture
def http() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    with serving(receiver):
        yield receiver


@pytest.fixture
def channels(smtp, http) -> list[Channel]:
    return [
        Channel.objects.create(name="mail", kind="email", address="ops@example.com, ada@example.com"),
        Channel.objects.create(name="hook", kind="webhook", address=f"{http.url}/hook", signing_key="s3cret"),
        Channel.objects.create(name="chat", kind="slack", address=f"{http.url}/slack"),
    ]


def rule(channels: list[Channel], **fields) -> AlertRule:
    fields = {"name": "errors", "window_s": 30, "for_s": 15, "keep_firing_s": 30} | fields
    made = AlertRule.objects.create(**fields)
    made.channels.set(channels)
    return made


def play(seconds: int, happens) -> list[int]:
    """Let the last `seconds` pass in steps of five; `happens(second, now)` writes what each brings."""
    start = timezone.now().replace(microsecond=0) - timedelta(seconds=seconds)
    changes = []
    for second in range(0, seconds, 5):
        now = start + timedelta(seconds=second)
        happens(second, now)
        changes.append(evaluating.evaluate(now))
        sending.send_due()
    return changes


def test_a_burst_of_errors_fires_once_and_clears_once_at_every_receiver(channels, smtp, http):
    rule(
        channels,
        condition=Condition.THRESHOLD,
        metric=Metric.ERROR_RATIO,
        above=0.2,
        event_type="order.placed",
    )

    def happens(second, now):
        # Bad for a minute, with good moments in it; good before and after.
        bad = 30 <= second < 90 and second % 20 != 10
        Rollup.objects.create(
            grain=1,
            bucket=now - timedelta(seconds=2),
            event_type="order.placed",
            handled=10,
            failed=20 if bad else 0,
        )

    changes = play(240, happens)
    assert sum(changes) == 2
    (alert,) = Alert.objects.all()
    assert alert.fired_at is not None
    assert alert.cleared_at is not None
    subjects = [mail["Subject"] for _, mail in smtp.mails]
    assert subjects == ["[local] Firing: errors", "[local] Cleared: errors"]
    recipients, mail = smtp.mails[0]
    assert recipients == ["ops@example.com", "ada@example.com"]
    body = mail.get_content()
    assert "order.placed: failed deliveries were" in body
    assert "https://hub.example/traces" in body
    hooks = [(headers, posted) for path, headers, posted in http.posts if path == "/hook"]
    assert [json.loads(posted)["what"] for _, posted in hooks] == ["firing", "cleared"]
    headers, posted = hooks[0]
    at, signature = headers[sending.SIGNATURE.lower()].removeprefix("t=").split(",v1=")
    assert signature == hmac.new(b"s3cret", at.encode() + b"." + posted, hashlib.sha256).hexdigest()
    assert json.loads(posted)["alerts"][0]["url"].startswith("https://hub.example/traces")
    chats = [json.loads(posted)["text"] for path, _, posted in http.posts if path == "/slack"]
    assert [chat.splitlines()[0] for chat in chats] == ["*Firing: errors*", "*Cleared: errors*"]


def test_an_event_type_that_stays_away_is_told_and_clears_when_it_comes_back(channels, smtp):
    rule(channels[:1], name="no orders", condition=Condition.ABSENCE, event_type="order.placed", for_s=0)

    def happens(second, now):
        if second < 20 or second >= 90:
            Rollup.objects.create(
                grain=1, bucket=now - timedelta(seconds=1), event_type="order.placed", received=1
            )

    play(180, happens)
    assert [mail["Subject"] for _, mail in smtp.mails] == [
        "[local] Firing: no orders",
        "[local] Cleared: no orders",
    ]


def test_processes_that_get_stuck_fire_once_with_what_is_missing_and_clear_once(channels, smtp):
    orders = Process.objects.create(name="Order fulfilment", start_type="order.placed")
    Process.objects.create(name="Returns", start_type="return.asked")
    rule(channels[:1], name="stuck orders", condition=Condition.STUCK, group="order", for_s=10, above=1)

    def happens(second, now):
        if second in (20, 30):
            Instance.objects.create(
                process=orders, correlation_id=f"c-{second}", subject=f"order {second}", state="stuck", last_at=now,
                missing_type="shipment.created", missing_after="inventory.reserved",
            )  # fmt: skip
        if second == 90:
            Instance.objects.update(state="completed")

    play(180, happens)
    assert [mail["Subject"] for _, mail in smtp.mails] == [
        "[local] Firing: stuck orders",
        "[local] Cleared: stuck orders",
    ]
    body = smtp.mails[0][1].get_content()
    assert "Order fulfilment: 2 stuck; order 30: no shipment.created after inventory.reserved" in body
    assert f"/processes/{orders.pk}" in body


def group(name: str, status: Status, seconds: float) -> GroupNow:
    return GroupNow(name, status, 10, seconds, None, None, 1, None, None, None, None, [])


def test_groups_in_trouble_at_the_same_moment_are_one_message_that_names_each(channels, smtp):
    broker = WatchedBroker.objects.create(kind=Kind.KAFKA, name="k:9092", asked_at=timezone.now())
    rule(channels[:1], name="lag", condition=Condition.LAG, for_s=10)

    def happens(second, now):
        bad = Status.STALLED if 20 <= second < 60 else Status.OK
        store_groups(
            broker, [group("billing", bad, 70.0), group("mail", bad, 9.0), group("fine", Status.OK, 0.0)], now
        )

    play(150, happens)
    assert [mail["Subject"] for _, mail in smtp.mails] == [
        "[local] Firing: lag (2)",
        "[local] Cleared: lag (2)",
    ]
    body = smtp.mails[0][1].get_content()
    assert "billing is stalled: 10 messages wait, 1 min 10 s behind" in body
    assert "mail is stalled" in body


def test_a_change_against_the_time_before_and_a_burning_budget_are_found(channels, smtp):
    source = Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["s"]})
    rule(
        channels[:1], name="half", condition=Condition.CHANGE, metric=Metric.RATE, below=0.5, compare_s=60, for_s=0,
        window_s=20, source=source,
    )  # fmt: skip
    rule(
        channels[:1],
        name="budget",
        condition=Condition.BUDGET,
        above=2.0,
        objective=0.99,
        for_s=0,
        window_s=60,
    )
    now = timezone.now().replace(microsecond=0)
    for second in range(1, 100):
        at = now - timedelta(seconds=second)
        few = second < 30
        Rollup.objects.create(
            grain=1,
            bucket=at,
            event_type="a",
            origin_id=source.pk,
            received=1 if few else 10,
            handled=9,
            failed=1,
        )
    assert evaluating.evaluate(now) == 2
    evidence = {alert.rule.name: alert.evidence for alert in Alert.objects.select_related("rule")}
    assert "0.1 × that of 1 min before" in evidence["half"]
    assert "10.0 × too fast" in evidence["budget"]


def test_a_silence_keeps_the_alert_on_the_page_and_tells_nobody(channels, smtp):
    made = rule(channels[:1], condition=Condition.ABSENCE, event_type="x", for_s=0)
    Silence.objects.create(rule=made, until=timezone.now() + timedelta(hours=1), made_by="ada")
    evaluating.evaluate()
    sending.send_due()
    assert evaluating.firing() == 1
    assert smtp.mails == []


def test_what_a_receiver_refuses_is_sent_again_later(channels, http):
    rule(channels[1:2], condition=Condition.ABSENCE, event_type="x", for_s=0)
    http.answers = [500]
    evaluating.evaluate()
    assert sending.send_due() == 0
    notice = Notice.objects.get()
    assert "500" in notice.error
    assert sending.send_due() == 0  # its time has not come
    Notice.objects.update(due_at=timezone.now())
    assert sending.send_due() == 1
    assert len(http.posts) == 2
    assert http.posts[0][1]["x-eventhub-notice"] == http.posts[1][1]["x-eventhub-notice"]


def test_a_redirect_is_not_followed(channels, http):
    rule(channels[1:2], condition=Condition.ABSENCE, event_type="x", for_s=0)
    http.answers = [302]
    evaluating.evaluate()
    assert sending.send_due() == 0
    assert "302" in Notice.objects.get().error
