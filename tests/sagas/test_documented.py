"""The examples of docs/sagas.md and docs/projections.md, run as they stand there."""

import re
import sys
from pathlib import Path

import pytest
from django.db import connection

from eventhub.handlers import running
from eventhub.sagas import declaring, listening
from eventhub.sagas.models import Instance
from eventhub.sourcing import reading
from eventhub.sourcing.appending import New, append
from eventhub.sourcing.projecting import declaring as projections
from eventhub.sourcing.projecting import rebuilding
from tests.sagas.conftest import run

DOCS = Path(__file__).resolve().parents[2] / "docs"

pytestmark = pytest.mark.django_db(transaction=True)


def blocks(page: str) -> dict[str, str]:
    return dict(re.findall(r"```python\n# ([^\n]+)\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))


@pytest.fixture
def shop(tmp_path, monkeypatch):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    for page in ("sagas.md", "projections.md"):
        for name, code in blocks(page).items():
            if name.startswith("shop/"):
                (tmp_path / name).write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
        del sys.modules[name]


def types(key: str) -> list[str]:
    return [event.event_type.removeprefix("order.") for event in reading.read(f"order-{key}")]


def test_the_order_ships_and_the_one_that_is_too_dear_is_undone(shop):
    __import__("shop.sagas")
    listening.connect()
    exec(blocks("sagas.md")["starting it"], {})
    run()
    append("parcel-1", New("parcel.collected"), correlation_id="o-1")
    while running.run("saga-order"):
        pass
    run()
    states = dict(Instance.objects.values_list("key", "state"))
    assert states == {"o-1": "completed", "o-2": "compensated"}
    assert types("o-1") == ["reserved", "paid", "packed", "carrier-asked"]
    assert types("o-2") == ["reserved", "packed", "unpacked", "released"]
    assert declaring.latest("order").description == "From the till to the door."


def test_the_listing_and_the_days_follow_the_orders(shop):
    __import__("shop.projections")
    try:
        append("order-1", [New("order.placed", {"total": 5}), New("order.paid", {})])
        append("order-2", New("order.placed", {"total": 7}))
        for name in ("orders", "order_days"):
            rebuilding.follow(projections.declared()[name])
        with connection.cursor() as cursor:
            cursor.execute("SELECT order_id, status, total FROM projection_orders ORDER BY 1")
            assert cursor.fetchall() == [("order-1", "paid", 5), ("order-2", "placed", 7)]
            cursor.execute("SELECT orders, revenue FROM projection_order_days")
            assert cursor.fetchall() == [(2, 12)]
    finally:
        for name in ("orders", "order_days"):
            projections._declared.pop(name, None)
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS projection_orders, projection_order_days")
