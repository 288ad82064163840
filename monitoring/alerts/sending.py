"""Sending notices: by e-mail, as signed JSON, or as a message for Slack and what understands the same.

A notice is claimed before it is sent and tried again with growing pauses. A receiver that got a notice and could not
say so gets it twice: the header ``X-EventHub-Notice`` is the same then.
"""

import hashlib
import hmac
import json
import logging
import time
from datetime import timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone

from eventhub.access.outgoing_http import opener
from eventhub.brokers.secrets import keys
from eventhub.brokers.secrets.scrubbing import scrub
from monitoring.alerts.models import Channel, Notice

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
MOST_ATTEMPTS = 8
FIRST_PAUSE_S = 10.0
LONGEST_PAUSE_S = 1_800.0
MOST_AT_ONCE = 50
# Who dies while sending leaves the notice to be found again after this.
CLAIMED_FOR = timedelta(seconds=60)
SIGNATURE = "X-EventHub-Signature"


class NotSent(Exception):
    """The receiver did not take it. The text says why."""


def send_due() -> int:
    """Send what is due; returns how many notices went out."""
    sent = 0
    for notice in _claim():
        try:
            deliver(notice)
        except Exception as error:  # noqa: BLE001 - whatever a receiver does, the other notices are sent
            _put_off(notice, f"{type(error).__name__}: {error}")
        else:
            notice.sent_at, notice.due_at, notice.error = timezone.now(), None, ""
            notice.attempts += 1
            notice.save()
            sent += 1
    return sent


def _claim() -> list[Notice]:
    now = timezone.now()
    with transaction.atomic():
        due = list(
            Notice.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(due_at__lte=now)
            .select_related("channel", "rule")
            .order_by("pk")[:MOST_AT_ONCE]
        )
        Notice.objects.filter(pk__in=[notice.pk for notice in due]).update(due_at=now + CLAIMED_FOR)
    return due


def _put_off(notice: Notice, error: str) -> None:
    notice.attempts += 1
    notice.error = scrub(error)[:1000]
    pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (notice.attempts - 1))
    given_up = notice.attempts >= MOST_ATTEMPTS
    notice.due_at = None if given_up else timezone.now() + timedelta(seconds=pause_s)
    notice.save()
    log.warning("The alert notice %s to %s was not sent: %s", notice.pk, notice.channel.name, notice.error)


def deliver(notice: Notice) -> None:
    """Send one notice now. Raises NotSent, OSError, smtplib.SMTPException."""
    try:
        _deliver(notice)
    except keys.Unreadable as error:
        raise NotSent(
            "No key reads the channel's address any more: enter it again, or put back the key it was encrypted with."
        ) from error


def _deliver(notice: Notice) -> None:
    match notice.channel.kind:
        case Channel.Kind.EMAIL:
            _mail(notice)
        case Channel.Kind.SLACK:
            _post(notice, {"text": f"*{title(notice)}*\n{text(notice)}"})
        case _:
            _post(notice, payload(notice))


def title(notice: Notice) -> str:
    """One line: "Firing: payments lag (2)"."""
    name = notice.rule.name if notice.rule else "a test"
    many = f" ({len(notice.alerts)})" if len(notice.alerts) > 1 else ""
    return f"{notice.what.capitalize()}: {name}{many}"


def text(notice: Notice) -> str:
    """What happened, a line an alert with where it is seen."""
    lines = [f"{alert['evidence']}\n{link(alert['href'])}" for alert in notice.alerts]
    return "\n".join(lines) or f"This is a test of {settings.ENVIRONMENT_NAME}: alerts arrive here."


def payload(notice: Notice) -> dict[str, Any]:
    """What a webhook gets."""
    return {
        "environment": settings.ENVIRONMENT_NAME,
        "what": notice.what,
        "rule": notice.rule.name if notice.rule else None,
        "title": title(notice),
        "alerts": [alert | {"url": link(alert["href"])} for alert in notice.alerts],
    }


def link(href: str) -> str:
    """An address that works outside of the product, as far as PUBLIC_URL is set."""
    return f"{settings.PUBLIC_URL.rstrip('/')}{href}"


def sign(key: str, at_s: int, body: bytes) -> str:
    """The signature of a webhook: ``t=<Unix seconds>,v1=<HMAC-SHA256 of "t.body" in hex>``."""
    digest = hmac.new(key.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def _mail(notice: Notice) -> None:
    addresses = [one.strip() for one in notice.channel.address.split(",") if one.strip()]
    message = EmailMessage(
        subject=f"[{settings.ENVIRONMENT_NAME}] {title(notice)}",
        body=text(notice),
        to=addresses,
        headers={"X-EventHub-Notice": str(notice.pk)},
    )
    if not message.send():
        raise NotSent("No address was given.")


def _post(notice: Notice, content: dict[str, Any]) -> None:
    address = notice.channel.whole_address
    if not address.startswith(("https://", "http://")):
        raise NotSent("The address is no URL: it begins with https:// or http://.")
    body = json.dumps(content).encode()
    headers = {"Content-Type": "application/json", "X-EventHub-Notice": str(notice.pk)}
    if key := notice.channel.signing_key:
        headers[SIGNATURE] = sign(key, int(time.time()), body)
    request = Request(address, data=body, headers=headers)  # noqa: S310 - checked above
    try:
        with opener().open(request, timeout=TIMEOUT_S):
            pass
    except HTTPError as error:
        raise NotSent(f"The receiver answers {error.code} {error.reason}.") from error
