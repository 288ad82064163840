from typing import Any

import pytest

from dlq.jobs.options import BadOption, Options, read_options


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"canary": 101}, "The option canary should be how many letters go first"),
        ({"rate_per_s": "fast"}, "The option rate_per_s should be letters a second"),
        ({"returns_limit": 2}, "The option returns_limit should be a share"),
        ({"batch_size": 0}, "1 to 5,000"),
        ({"key": "order"}, "correlation_id"),
        ({"speed": 1}, "There is no such option (speed)"),
        ([], "should be an object"),
        ({"redirect_to": "a\x00b"}, "NUL"),
        ({"redirect_to": "x" * 251}, "at most 250 characters"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_words(given: Any, words: str) -> None:
    with pytest.raises(BadOption) as problem:
        read_options(given)
    assert words in str(problem.value)


def test_a_forms_texts_are_read_as_numbers() -> None:
    options = read_options({"rate_per_s": "12.5", "cap": "2", "ramp": True})
    assert (options.rate_per_s, options.cap, options.pace_key) == (12.5, 2, "correlation_id")
    assert options.limit == 0.1
    assert not options.is_plain
    assert Options().is_plain
    assert read_options(options.as_json()) == options
