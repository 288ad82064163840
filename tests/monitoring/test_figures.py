from datetime import timedelta

import pytest
from django.utils import timezone

pytestmark = pytest.mark.django_db


def series(client, **query):
    return client.get("/figures/series", query).json()


def test_figures_are_those_of_the_choice(staff, counted, shop):
    now = timezone.now() - timedelta(minutes=2)
    counted(now, "order.placed", received=6, origin_id=shop.pk, service="shop", processing_s=[0.1] * 10)
    counted(now, "order.paid", received=4, service="till", failed=3)
    assert sum(series(staff)["counts"]["received"]) == 10
    assert sum(series(staff, type="order.placed")["counts"]["received"]) == 6
    assert sum(series(staff, service="till")["counts"]["failed"]) == 3
    assert sum(series(staff, source="shop")["counts"]["received"]) == 6
    assert sum(series(staff, source="nobody")["counts"]["received"]) == 0
    p50 = [value for value in series(staff, type="order.placed")["processing"][0] if value is not None]
    assert p50 == [pytest.approx(0.1, rel=0.02)]


@pytest.mark.parametrize(("compare", "days"), [("day", 1), ("week", 7)])
def test_the_same_time_before_lies_beside_now_as_a_rate(staff, counted, compare, days):
    now = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=10)
    counted(now - timedelta(days=days), received=600, grain=60)
    before = series(staff, compare=compare, range="1h")["before"]
    assert max(value or 0 for value in before) == pytest.approx(10)
    assert "before" not in series(staff)


def test_the_page_offers_what_there_is_and_ranges_up_to_ninety_days(staff, shop):
    text = staff.get("/figures/?range=90d&source=shop").content.decode()
    assert "<option selected>shop</option>" in text
    assert "90 d" in text
    assert staff.get("/figures/?range=5m").status_code == 200


def test_what_came_over_a_broker_is_counted_when_its_source_is_gone(staff, counted, shop):
    now = timezone.now() - timedelta(minutes=2)
    counted(now, received=6, origin_id=shop.pk, broker="redis", service="shop")
    counted(now, received=5, origin_id=99, broker="kafka", service="shop")
    shop.delete()
    assert sum(series(staff, broker="redis")["counts"]["received"]) == 6
    assert sum(series(staff, broker="kafka", service="shop")["counts"]["received"]) == 5
    assert sum(series(staff, broker="sqs")["counts"]["received"]) == 0
