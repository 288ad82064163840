import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import playwright
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.pages import formats

# Playwright brings the Node.js that it runs on.
NODE = Path(playwright.__file__).parent / "driver" / "node"
ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 3, 4, 17, 5, 9, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"), (0, "0"), (7, "7"), (3.14, "3.1"), (999, "999"), (1_234, "1,234"), (9_999, "9,999"),
        (10_000, "10 k"), (12_340, "12.3 k"), (999_949, "999.9 k"), (999_950, "1 M"), (4_500_000, "4.5 M"),
        (7_800_000_000, "7.8 G"), (-1_234, "-1,234"),
    ],
)  # fmt: skip
def test_a_count_is_whole_below_ten_thousand_and_short_above(value: float | None, said: str) -> None:
    assert formats.number(value) == said


@pytest.mark.parametrize(
    ("per_second", "said"),
    [
        (0, "0/s"),
        (4_812, "4,812/s"),
        (3.24, "3.2/s"),
        (1, "1/s"),
        (0.2, "12/min"),
        (0.0004, "1.4/h"),
        (None, "–"),
    ],
)
def test_a_rate_is_said_in_the_unit_that_leaves_a_sayable_number(per_second: float | None, said: str) -> None:
    assert formats.rate(per_second) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"), (0, "0 s"), (0.00035, "350 µs"), (0.0024, "2.4 ms"), (0.24, "240 ms"), (1.84, "1.8 s"),
        (59.6, "1 min"), (200, "3 min 20 s"), (3_599.7, "1 h"), (7_500, "2 h 5 min"), (273_600, "3 d 4 h"), 
        (-2, "−2 s"), (4e6, "46 d"), (42, "42 s"),
    ],
)  # fmt: skip
def test_a_duration_is_said_as_a_person_would(seconds: float | None, said: str) -> None:
    assert formats.duration(seconds) == said


@pytest.mark.parametrize(
    ("n_bytes", "said"), [(0, "0 B"), (412, "412 B"), (12_300, "12.3 kB"), (999_950, "1 MB"), (2e9, "2 GB")]
)
def test_an_amount_of_data_has_decimal_units(n_bytes: float, said: str) -> None:
    assert formats.size(n_bytes) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0 %"), (0.0031, "0.31 %"), (0.042, "4.2 %"), (0.87, "87 %"), (1, "100 %"), (0.00001, "< 0.01 %")],
)
def test_a_share_has_the_digits_it_needs(share: float, said: str) -> None:
    assert formats.percent(share) == said


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(0), "now"), (timedelta(seconds=12), "12 s ago"), (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=5), "5 h ago"), (timedelta(days=6), "6 d ago"), (timedelta(seconds=-10), "in 10 s"),
        (timedelta(days=40), "23 Jan 2026"),
    ],
)  # fmt: skip
def test_a_moment_is_told_by_its_distance(age: timedelta, said: str) -> None:
    assert formats.ago(NOW - age, NOW) == said


def test_a_moment_is_exact_to_the_millisecond_in_utc() -> None:
    assert formats.exact(NOW) == "2026-03-04 17:05:09.123 UTC"
    assert formats.iso(NOW) == "2026-03-04T17:05:09.123456Z"


@given(st.text(max_size=80))
def test_a_shortened_id_is_never_longer_and_keeps_both_ends(text: str) -> None:
    short = formats.short_id(text)
    assert len(short) <= len(text)
    assert text.startswith(short.partition("…")[0]) or "…" in text


@given(st.floats(min_value=0, max_value=1e13))
def test_no_figure_is_longer_than_its_column(value: float) -> None:
    for say in (formats.number, formats.rate, formats.duration, formats.size):
        assert len(say(value)) <= 14


@given(st.floats(min_value=1e-6, max_value=1e8), st.floats(min_value=1.001, max_value=50))
def test_a_duration_never_names_a_full_unit_twice(seconds: float, factor: float) -> None:
    for said in (formats.duration(seconds), formats.duration(seconds * factor)):
        assert not any(
            wrong in said for wrong in ("60 s", "60 min", "24 h", "1000 ms", "1,000 ms", "1000 µs")
        )


def test_the_browser_says_the_same_as_the_server() -> None:
    values = [
        0,
        0.4,
        0.5,
        1.5,
        2.5,
        9.94,
        9.96,
        12,
        99.5,
        100.5,
        999,
        9999,
        10_000,
        12_345,
        999_950,
        1e6,
        5.55e8,
        3e9,
    ]
    values += [4e6, 0.00002, 0.0009996, 0.01, 0.9996, 59.4, 59.6, 61, 3599.6, 86_399, 90_000, 1e6]
    names = ("number", "rate", "duration", "size", "percent")
    moments = [
        NOW - timedelta(seconds=age) for age in (0, 5, 59, 61, 4_000, 90_000, 2_000_000, 9_000_000, -30)
    ]
    types = ["order.placed", "OrderPlaced", "com.shop.order.placed", "payment-captured", "größe.neu", "", "x"]
    script = f"""
      const f = await import({json.dumps((ROOT / "static/js/formats.js").as_uri())});
      const h = await import({json.dumps((ROOT / "static/js/hues.js").as_uri())});
      const values = {json.dumps(values)}, moments = {json.dumps([formats.iso(at) for at in moments])};
      const said = Object.fromEntries({json.dumps(names)}.map((name) => [name, values.map(f[name])]));
      said.ago = moments.map((at) => f.ago(new Date(at), new Date({json.dumps(formats.iso(NOW))})));
      said.hues = {json.dumps(types)}.map((type) => [h.entity(type), h.hueOf(type)]);
      console.log(JSON.stringify(said));
    """
    ran = subprocess.run(
        [NODE, "--input-type=module", "-e", script], capture_output=True, text=True, check=True
    )
    from eventhub.pages import hues

    expected: dict[str, object] = {
        name: [getattr(formats, name)(value) for value in values] for name in names
    }
    expected["ago"] = [formats.ago(at, NOW) for at in moments]
    expected["hues"] = [[hues.entity(name), hues.hue_of(name)] for name in types]
    assert json.loads(ran.stdout) == expected
