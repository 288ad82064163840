from datetime import UTC, datetime, timedelta

from django.test import RequestFactory

from eventhub.pages.filters import Field, choices, filter_bar
from eventhub.pages.ranges import time_range

FIELDS = [
    Field(name="q", label="Find"),
    Field(name="state", label="State", options=choices([("ok", "finished"), ("broken", "failed")])),
]
NOW = datetime(2026, 3, 4, 17, tzinfo=UTC)


def test_set_filters_become_chips_that_can_be_taken_away_one_by_one() -> None:
    bar = filter_bar(RequestFactory().get("/traces/?q=8412&state=broken&sort=-took&after=abc"), FIELDS)
    assert [(chip.label, chip.value, chip.url) for chip in bar.chips] == [
        ("contains", "8412", "/traces/?state=broken&sort=-took"),
        ("state", "failed", "/traces/?q=8412&sort=-took"),
    ]
    assert bar.clear_url == "/traces/?sort=-took"
    assert bar.kept == [("sort", "-took")]
    assert bar.values == {"q": "8412", "state": "broken"}


def test_a_value_that_is_no_choice_counts_as_not_set() -> None:
    bar = filter_bar(RequestFactory().get("/traces/?state=purple&q=%00"), FIELDS)
    assert not bar.is_filtered


def test_a_range_follows_the_clock_and_marks_its_choice() -> None:
    chosen = time_range(RequestFactory().get("/?range=6h&q=a"), now=NOW)
    assert (chosen.start, chosen.end) == (NOW - timedelta(hours=6), NOW)
    assert [choice.label for choice in chosen.choices if choice.current] == ["6 h"]
    assert chosen.choices[1].url == "/?q=a"


def test_a_range_can_be_exact() -> None:
    chosen = time_range(RequestFactory().get("/?from=2026-03-04T10:00:00Z&to=1772622000"), now=NOW)
    assert chosen.is_custom
    assert chosen.start == datetime(2026, 3, 4, 10, tzinfo=UTC)
    assert chosen.end == datetime(2026, 3, 4, 11, tzinfo=UTC)


def test_an_unreadable_range_is_the_default_one() -> None:
    for query in ("range=lots", "from=x&to=y", "from=2026-03-04&to=2026-03-01", "from=9e99&to=1e999"):
        assert time_range(RequestFactory().get(f"/?{query}"), now=NOW).length == timedelta(hours=1)
