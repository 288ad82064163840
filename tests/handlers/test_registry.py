"""Declaring handlers, and the mistakes that the system check names."""

import sys

import pytest
from django.core.checks import run_checks

from eventhub.handlers import registry


def said(findings):
    return [
        f"{finding.id} {finding.msg}" for finding in findings if (finding.id or "").startswith("handlers.")
    ]


def test_a_handler_is_named_after_its_function(handles):
    @handles("order.placed")
    def create_shipment(event):
        """Book a carrier.

        And more that nobody reads in a list.
        """

    found = registry.subscriptions()["create-shipment"]
    assert found.description == "Book a carrier."
    assert found.place.endswith("create_shipment")
    assert not said(run_checks())


def test_two_handlers_of_one_name_are_refused(handles):
    handles("order.placed", name="ship")(lambda event: None)
    handles("order.paid", name="ship")(lambda event: None)
    assert any("handlers.E001" in line and "'ship'" in line for line in said(run_checks()))


def test_a_bad_pattern_is_refused_and_the_good_ones_beside_it_count(handles):
    handles("order.#", "order.paid", name="ship")(lambda event: None)
    assert any("handlers.E002" in line and "order.#" in line for line in said(run_checks()))
    assert [one.name for one in registry.subscribers("order.paid")] == ["ship"]
    assert not registry.subscribers("order.placed")


def test_a_name_that_cannot_be_part_of_an_address_is_refused(handles):
    handles("order.placed", name="to ship/")(lambda event: None)
    assert any("handlers.E003" in line for line in said(run_checks()))


def test_an_async_function_is_refused(handles):
    @handles("order.placed")
    async def ship(event): ...

    assert any("handlers.E004" in line for line in said(run_checks()))


@pytest.mark.parametrize(
    "wrong",
    [{"timeout_s": 0}, {"order_by": "customer"}, {"concurrency": 0}, {"batch": 0}, {"batch": 51}],
)
def test_options_that_make_no_sense_are_refused_at_once(handles, wrong):
    with pytest.raises(ValueError, match="@handles"):
        handles("order.placed", **wrong)
    with pytest.raises(ValueError, match="event type"):
        handles()


def test_modules_in_the_settings_are_imported_at_start(handles, settings, tmp_path, monkeypatch):
    (tmp_path / "shop_reactions.py").write_text(
        "from eventhub.handlers import handles\n\n@handles('order.placed')\ndef react(event): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.EVENT_HANDLERS = ["shop_reactions"]
    registry.discover()
    assert registry.subscriptions()["react"].function.__module__ == "shop_reactions"
    sys.modules.pop("shop_reactions")


def test_a_module_that_cannot_be_imported_is_told_at_start(handles, settings):
    settings.EVENT_HANDLERS = ["no.such.module"]
    with pytest.raises(ModuleNotFoundError, match="no"):
        registry.discover()
