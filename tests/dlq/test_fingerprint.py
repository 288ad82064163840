import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlq.fingerprint import Fingerprint, fingerprint, normalise
from dlq.stack import lines, top_frame
from tests.dlq.letters import STACK

CLASSES = st.sampled_from(["", "ValueError", "shop.shipping.CarrierTimeout"])


def of(message: str = "", stack: str = "", error_class: str = "Oops") -> Fingerprint:
    return fingerprint(
        origin="service:shipping",
        event_type="order.paid",
        error_class=error_class,
        message=message,
        stack=stack,
    )


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Order 8412 not found", "Order … not found"),
        ("The carrier did not answer in 3.5 s.", "The carrier did not answer in … s."),
        ("No customer 'Ann Neil' here", "No customer … here"),
        ('{"order": "x-1"} is wrong', "{…} is wrong"),
        ("user ann@example.org from 10.0.0.7:5432", "user … from …"),
        ("session 0xDEADBEEF expired at 2026-11-24T10:00:05Z", "session … expired at …"),
        ("ord_8f3k and order-8412 clash", "… and order-… clash"),
        ("Can't reach the bank, won't try again", "Can't reach the bank, won't try again"),
        ("Expected `str`, got `int` - at `$.event_type`", "Expected `str`, got `int` - at `$.event_type`"),
        ("ids 1, 2, 3", "ids …"),
        ("The body is not UTF-8: byte 12 is 0x80.", "The body is not UTF-8: byte … is …."),
        ("deadbeef is a word, a1b2c3d4 is not", "deadbeef is a word, … is not"),
    ],
)
def test_what_names_one_case_becomes_a_gap(message: str, expected: str) -> None:
    assert normalise(message) == expected


@given(st.integers(0, 10**18), st.integers(0, 10**18), st.uuids(), st.uuids())
def test_ids_and_numbers_do_not_make_another_group(a: int, b: int, x: uuid.UUID, y: uuid.UUID) -> None:
    first = of(f"Order {a} of customer {x} was charged {a}.{b % 100:02d} EUR, ref 0x{a:x}, 'item {a}'")
    second = of(f"Order {b} of customer {y} was charged {b}.{a % 100:02d} EUR, ref 0x{b:x}, 'thing {b}'")
    assert first == second


@given(st.text(), st.text(), st.text(), st.text(), st.text())
def test_it_never_raises_and_always_has_words(a: str, b: str, c: str, d: str, e: str) -> None:
    found = fingerprint(origin=a, event_type=b, error_class=c, message=d, stack=e)
    assert found.title
    assert len(found.digest) <= 64
    assert found == fingerprint(origin=a, event_type=b, error_class=c, message=d, stack=e)


@given(st.text(alphabet="0'\"“” ab-.,:@x", max_size=4000))
def test_normalising_is_idempotent_enough_to_be_stable(message: str) -> None:
    assert normalise(message) == normalise(message)
    assert len(normalise(message)) <= len(message) + 1


def test_a_megabyte_of_anything_is_quick() -> None:
    for text in ("'" * 1_000_000, "1" * 1_000_000, "a@" * 500_000, " at (" * 200_000, 'File "' * 200_000):
        of(text, stack=text)


def test_other_wording_kind_or_place_make_another_group() -> None:
    assert (
        len({of("a").digest, of("b").digest, of("a", error_class="Else").digest, of("a", STACK).digest}) == 4
    )


def test_the_top_frame_is_the_teams_own_code_without_its_line_number() -> None:
    frame = top_frame(STACK)
    assert frame
    assert frame.place == "book (shop/carrier.py)"
    moved = STACK.replace("line 31", "line 77")
    assert of("a", STACK) == of("a", moved)


@pytest.mark.parametrize(
    ("stack", "place"),
    [
        (
            "java.lang.IllegalStateException: no stock\n"
            "\tat org.springframework.util.Assert.state(Assert.java:76)\n"
            "\tat com.shop.stock.Reserver.reserve(Reserver.java:41)\n",
            "com.shop.stock.Reserver.reserve (Reserver.java)",
        ),
        (
            "Error: no stock\n    at Object.read (node:fs:12:3)\n    at reserve (/app/src/stock.js:41:9)\n",
            "reserve (src/stock.js)",
        ),
        (
            "   at System.Net.Http.HttpClient.Send(HttpRequestMessage m)\n"
            "   at Shop.Stock.Reserve(Order o) in C:\\shop\\Stock.cs:line 41\n",
            "Shop.Stock.Reserve(Order o) (shop/Stock.cs)",
        ),
        ("goroutine 1 [running]:\nmain.reserve(0x1)\n\t/app/stock.go:41 +0x1d\n", "app/stock.go"),
    ],
)
def test_stacks_of_other_languages_are_read(stack: str, place: str) -> None:
    frame = top_frame(stack)
    assert frame
    assert frame.place == place


def test_library_lines_are_told_from_own_ones() -> None:
    library = [line.text.strip()[:30] for line in lines(STACK) if line.is_library]
    assert library == [
        'File "/usr/lib/python3.11/runp',
        "return _run_code(code, main_gl",
        'File "/app/.venv/lib/python3.1',
        "raise TimeoutException(message",
    ]
