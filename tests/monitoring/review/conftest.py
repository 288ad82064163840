from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from monitoring.review import running
from monitoring.review.models import Finding
from monitoring.review.rules import rule_of
from tests.traces.building import START


@pytest.fixture
def reviewed(db) -> Callable[..., list[Finding]]:
    """Reads everything in the log and judges it, as at `after_s` after START; the findings of a rule, by service."""

    def run(rule: str, after_s: float = 120) -> list[Finding]:
        chosen = rule_of(rule)
        assert chosen is not None
        running.run(settle_s=0, rules=[chosen], now=START + timedelta(seconds=after_s))
        return list(Finding.objects.filter(rule=rule, state="open").order_by("service", "subject"))

    return run


@pytest.fixture
def browser(db, django_user_model) -> Client:
    client = Client()
    client.force_login(django_user_model.objects.create_user("ada", is_staff=True, is_superuser=True))
    return client
