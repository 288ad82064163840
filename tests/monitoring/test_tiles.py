import pytest

from monitoring.tiles import delta


@pytest.mark.parametrize(
    ("value", "then", "expected"),
    [
        (100.0, 98.0, ("as yesterday", "")),
        (110.0, 100.0, ("+10 % vs yesterday", "")),
        (60.0, 100.0, ("−40 % vs yesterday", "")),
        (140.0, 100.0, ("+40 % vs yesterday", "busy")),
        (400.0, 100.0, ("4 × yesterday", "busy")),
        (5.0, 0.0, ("none yesterday", "")),
        (0.0, 0.0, ("as yesterday", "")),
        (None, 5.0, ("", "")),
        (5.0, None, ("", "")),
    ],
)
def test_a_value_is_compared_with_yesterday_in_words(value, then, expected):
    assert delta(value, then) == expected


def test_more_throughput_is_not_worse():
    assert delta(400.0, 100.0, more_is_worse=False) == ("4 × yesterday", "")


def test_a_difference_too_small_to_matter_is_none():
    assert delta(3.0, 1.0, noise=5.0) == ("as yesterday", "")
