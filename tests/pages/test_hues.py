import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.pages import hues, icons


@pytest.mark.parametrize(
    "event_type",
    [
        "order.placed",
        "order.line.added",
        "OrderPlaced",
        "order-placed",
        "order/placed",
        "com.shop.order.placed",
    ],
)
def test_an_entity_keeps_its_colour_however_its_events_are_named(event_type: str) -> None:
    assert hues.entity(event_type) == "order"
    assert hues.hue_of(event_type) == hues.hue_of("order.cancelled")


def test_the_entities_most_systems_have_get_different_colours() -> None:
    names = ("order", "payment", "inventory", "shipment", "shipping", "customer")
    names += ("email", "product", "cart", "invoice", "user", "stock")
    assert len({hues.hue_of(f"{name}.changed") for name in names}) == len(names)


@given(st.text(max_size=60))
def test_any_name_has_a_colour_and_a_glyph_that_exists(name: str) -> None:
    assert 0 <= hues.hue_of(name) < hues.HUES
    assert icons.svg(hues.glyph_of(name)).startswith("<svg ")


def test_a_service_is_recognised_by_its_word() -> None:
    assert hues.glyph_of("payments-eu") == "credit-card"
    assert hues.glyph_of("shipping") == "truck"
