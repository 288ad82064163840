"""The table of figures: the newest of each, and what counts as a regression."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import table


def line(name="ingest-kafka", ratio=0.7, better="higher", **other):
    return json.dumps(
        {
            "name": name,
            "value": 50_000.0,
            "unit": "events/s",
            "reference": "raw COPY",
            "reference_value": 70_000.0,
            "ratio": ratio,
            "goal": 0.7,
            "pass": ratio >= 0.7,
            "better": better,
            "at": "2026-11-25T17:31:13+00:00",
        }
        | other
    )


def test_the_newest_result_of_each_counts_and_a_half_written_line_is_passed_over():
    found = table.latest([line(ratio=0.5), line("retry-kafka", 1.5), line(ratio=0.8), line()[:40], ""])
    assert {name: one.ratio for name, one in found.items()} == {"ingest-kafka": 0.8, "retry-kafka": 1.5}


@pytest.mark.parametrize(
    ("better", "committed", "now", "is_worse"),
    [
        ("higher", 0.70, 0.60, True),
        ("higher", 0.70, 0.62, False),
        ("higher", 0.70, 0.90, False),
        ("lower", 1.00, 1.16, True),
        ("lower", 1.00, 1.14, False),
        ("lower", 1.00, 0.50, False),
    ],
)
def test_a_ratio_that_is_worse_by_more_than_15_percent_is_a_regression(better, committed, now, is_worse):
    results = table.latest([line(ratio=now, better=better)])
    assert bool(table.regressions(results, {"ingest-kafka": committed, "never-run": 1.0})) is is_worse


@given(st.floats(0.01, 100), st.sampled_from(["higher", "lower"]))
def test_what_stays_as_it_was_is_never_a_regression(ratio, better):
    assert not table.regressions(table.latest([line(ratio=ratio, better=better)]), {"ingest-kafka": ratio})


def test_what_was_not_run_keeps_the_ratio_it_had(tmp_path):
    ratios, page = tmp_path / "ratios.json", tmp_path / "performance.md"
    ratios.write_text('{"ingest-sqs": 2.17, "ingest-kafka": 0.6}')
    table.write(table.latest([line(ratio=0.72)]), ratios, page)
    assert json.loads(ratios.read_text()) == {"ingest-kafka": 0.72, "ingest-sqs": 2.17}
    assert (
        "| `ingest-kafka` | 50,000 events/s | raw COPY: 70,000 | 0.72 | ≥ 0.7 | met | 2026-11-25 |"
        in page.read_text()
    )
