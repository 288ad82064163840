from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from dlq import closing, counts, intake, retention
from dlq.models import DeadLetter, Edit, EditState
from eventhub.access.audit import Actor
from eventhub.access.models import AuditEntry
from eventhub.brokers.models import Source
from tests.dlq.letters import broken


@pytest.fixture
def old(shop: Source) -> None:
    """Three letters: one open, one discarded long ago, one discarded just now."""
    with transaction.atomic():
        intake.record(shop, [broken(n) for n in (1, 2, 3)])
    long_ago, just_now = DeadLetter.objects.order_by("pk")[1:3]
    closing.discard([long_ago.pk, just_now.pk], "test data", Actor("anna"))
    DeadLetter.objects.filter(pk=long_ago.pk).update(closed_at=timezone.now() - timedelta(days=40))
    Edit.objects.create(letter=long_ago, state=EditState.DECLINED, event_id="e", body=b"", made_by="anna")


def test_only_what_was_closed_long_ago_goes_and_the_counts_stay_right(
    old: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DEAD_LETTER_RETENTION_DAYS", 30)
    assert retention.count_old() == 1
    assert retention.drop_old() == 1
    assert sorted(DeadLetter.objects.values_list("offset", flat=True)) == ["1-0", "3-0"]
    group = DeadLetter.objects.values_list("group", flat=True)[0]
    total = counts.totals([group])[group]
    assert (total.letters, total.open) == (2, 1)
    assert AuditEntry.objects.filter(action="drop").exists()
    assert retention.drop_old() == 0


def test_without_a_setting_everything_stays(old: Any) -> None:
    assert retention.drop_old() == 0
    assert DeadLetter.objects.count() == 3
    assert retention.count_old(30) == 1
