"""The example of docs/handlers.md, run as it stands there."""

import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection
from django.test import override_settings

from dlq.models import DeadLetter
from eventhub.handlers import registry
from tests.handlers.conftest import placed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "handlers.md"
CARRIER = """
class Closed(Exception): ...

busy = False

def is_busy():
    return busy
"""


def blocks() -> dict[str, str]:
    """The code of the page by the file that its first line names."""
    found = re.findall(r"```python\n# (shop/\w+\.py)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return dict(found)


@pytest.fixture
def shop(hub, handles, tmp_path, monkeypatch) -> Iterator[types.ModuleType]:
    """The page's app, installed as anybody's would be."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "carrier.py").write_text(CARRIER)
    for name, code in blocks().items():
        (tmp_path / name).write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    with override_settings(INSTALLED_APPS=[*_installed(), "shop"]):
        model = apps.get_model("shop", "Shipment")
        with connection.schema_editor() as editor:
            editor.create_model(model)
        yield sys.modules["shop.carrier"]
        with connection.schema_editor() as editor:
            editor.delete_model(model)
    apps.all_models.pop("shop", None)
    for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
        del sys.modules[name]


def _installed() -> list[str]:
    from django.conf import settings

    return list(settings.INSTALLED_APPS)


def order(number: int, street: str = "Mill Lane 1"):
    return placed(number, data={"order_id": f"o-{number}", "ship_to": {"street": street}})


def test_the_page_holds_the_files_of_the_example():
    assert set(blocks()) == {"shop/models.py", "shop/handlers.py"}


def test_the_example_does_what_the_page_says(hub, shop, monkeypatch):
    # The jitter may be next to nothing; here the retry waits.
    monkeypatch.setattr("random.random", lambda: 0.99)
    found = registry.subscriptions()["create-shipment"]
    assert found.place == "shop.handlers.create_shipment"
    assert (found.timeout_s, found.order_by, found.retry.max_attempts) == (10, "correlation_id", 5)
    Shipment = apps.get_model("shop", "Shipment")

    shop.busy = True
    hub.take(order(1), order(2, street=""))
    hub.run("create-shipment")
    assert not Shipment.objects.exists()  # the failed attempt took it back
    assert hub.states("create-shipment") == ["waiting", "dead"]
    assert DeadLetter.objects.get().error_message == "order o-2 has no street"

    shop.busy = False
    hub.hurry()
    hub.run("create-shipment")
    assert [shipment.order_id for shipment in Shipment.objects.all()] == ["o-1"]
    assert hub.outcomes("create-shipment") == [(1, "failed"), (1, "failed"), (2, "succeeded")]
