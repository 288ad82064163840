"""The pages and the API of the flow map and of processes, and of saved searches."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from eventhub.access.models import AuditEntry, Scope
from eventhub.access.tokens import create_token
from eventhub.schemas.models import EventType
from eventhub.traces import attributes
from eventhub.traces.flow import learning
from eventhub.traces.models import Instance, Process, SavedSearch, SearchableAttribute, Variant
from eventhub.traces.processes import alerts, watching
from tests.traces.building import START, event, order, receipt, store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def get(client):
    headers = {"Authorization": f"Bearer {create_token('tests', Scope.READ)}"}
    return lambda url, **params: client.get(url, params, headers=headers)


@pytest.fixture
def traffic():
    """Orders of the last hour: 1…8 delivered, 9 declined; 10 was never paid, and 11 waits for its parcel."""
    offset = (datetime.now(UTC) - timedelta(minutes=40) - START).total_seconds()
    for number in range(1, 10):
        store(*order(number, offset + number * 60, fails=number == 9), txid=10 + number)
    store(*order(10, offset)[:1], *order(11, offset)[:2], txid=30)
    store(receipt("order-1-paid", "billing", offset + 62, correlation_id="order-1"), txid=31)
    look()


def look(later=timedelta(hours=2)):
    learning.learn()
    watching.watch(60, now=datetime.now(UTC) + later)


@pytest.fixture
def named(browser, traffic):
    """What begins with order.placed, named as a process from what was mined."""
    answer = browser.post("/processes/mined/order.placed/name", {"name": "Orders"})
    assert AuditEntry.objects.get(action="name process").target == "process Orders"
    assert answer.status_code == 302
    look()
    return Process.objects.get()


def states():
    return dict(Instance.objects.values_list("subject", "state"))


def test_ways_are_mined_with_their_numbers(traffic):
    found = {
        tuple(name for _, name, _ in variant.path): (variant.count, variant.failed)
        for variant in Variant.objects.filter(count__gt=0)
    }
    assert found == {
        ("order.placed", "payment.captured", "shipment.sent"): (8, 0),
        ("order.placed", "payment.declined"): (1, 1),
        ("order.placed",): (1, 0),
        ("order.placed", "payment.captured"): (1, 0),
    }


def test_a_trace_that_goes_on_changes_its_variant_and_counts_once(traffic):
    offset = (datetime.now(UTC) - START).total_seconds()
    store(
        event("late", "payment.captured", offset, causation_id="order-10-placed", correlation_id="order-10"),
        txid=40,
    )
    look()
    counts = {len(variant.path): variant.count for variant in Variant.objects.filter(count__gt=0, failed=0)}
    assert counts == {3: 8, 2: 2}
    assert sum(Variant.objects.values_list("count", flat=True)) == 11


def test_a_mined_process_is_named_and_its_instances_stand_as_they_do(named):
    assert [(step.event_type, step.role) for step in named.steps.all()] == [
        ("payment.captured", "step"), ("shipment.sent", "end"),
    ]  # fmt: skip
    found = states()
    assert {name for name, state in found.items() if state == "completed"} == {
        f"order {n}" for n in range(1, 9)
    }
    assert {name for name, state in found.items() if state == "stuck"} == {"order 9", "order 10", "order 11"}
    missing = Instance.objects.get(subject="order 11")
    assert (missing.missing_type, missing.missing_after) == ("shipment.sent", "payment.captured")
    assert missing.stuck_since is not None


def test_a_stuck_instance_goes_on_when_its_event_comes(named):
    offset = (datetime.now(UTC) - START).total_seconds()
    store(
        event("sent", "shipment.sent", offset, causation_id="order-11-paid", correlation_id="order-11"),
        txid=50,
    )
    look()
    assert states()["order 11"] == "completed"
    assert Instance.objects.get(subject="order 11").stuck_since is None


def test_whoever_registered_is_told_once_of_what_is_stuck(browser, traffic):
    told = []
    alerts.on_stuck(told.extend)
    try:
        browser.post("/processes/mined/order.placed/name", {"name": "Orders"})
        look()
        look()
        watching.reconsider("order.placed")
        look()
    finally:
        alerts._told.remove(told.extend)
    assert sorted(one.subject for one in told) == ["order 10", "order 11", "order 9"]
    assert "shipment.sent did not come after payment.captured" in next(
        o.words for o in told if o.subject == "order 11"
    )


def test_the_pages_show_counts_ways_and_who_waits_for_what(browser, named):
    page = browser.get("/processes/").content.decode()
    assert "Orders" in page
    detail = browser.get(f"/processes/{named.pk}/").content.decode()
    assert "1 stuck" in detail
    stuck = browser.get(
        f"/processes/{named.pk}/", {"state": "stuck", "missing": "shipment.sent"}
    ).content.decode()
    assert "order 11" in stuck
    assert "order 10" not in stuck
    assert "order 11" not in browser.get(f"/processes/{named.pk}/", {"state": "completed"}).content.decode()
    assert "Orders" in browser.get("/processes/mined/order.placed/").content.decode()
    assert browser.get("/processes/mined/nothing/").status_code == 404


def test_only_who_may_add_processes_names_one(client, traffic):
    client.force_login(User.objects.create_user("guest"))
    assert client.post("/processes/mined/order.placed/name", {"name": "Orders"}).status_code == 403
    assert not Process.objects.exists()


def test_instances_are_paged_and_filtered_by_script(get, named):
    first = get(f"/api/processes/{named.pk}/instances", limit=5).json()
    second = get(f"/api/processes/{named.pk}/instances", limit=50, cursor=first["next_cursor"]).json()
    ids = [one["correlation_id"] for one in (*first["items"], *second["items"])]
    assert sorted(ids) == sorted(f"order-{number}" for number in range(1, 12))
    stuck = get(f"/api/processes/{named.pk}/instances", state="stuck", missing="shipment.sent").json()[
        "items"
    ]
    assert [one["correlation_id"] for one in stuck] == ["order-11"]
    assert get(f"/api/processes/{named.pk}/instances", state="sad").status_code == 400
    assert get("/api/processes").json()[0]["counts"] == {"completed": 8, "stuck": 3}
    assert get("/api/processes/mined/order.placed").json()["variants"][0]["count"] == 8


def test_the_flow_is_read_by_page_and_by_script(browser, get, traffic):
    page = browser.get("/map/").content.decode()
    assert "payment.captured" in page
    data = browser.get("/map/data").json()
    assert {node["id"] for node in data["nodes"]} == {"shop", "payment", "shipping", "billing"}
    assert ("shop", "payment", "order.placed") in {
        (e["source"], e["target"], e["type"]) for e in data["edges"]
    }
    assert browser.get("/map/", {"back": "3"}).status_code == 200
    focused = browser.get("/map/", {"focus": "payment"}).content.decode()
    assert "If payment stops" in focused
    flow = get("/api/flow").json()
    told = next(link for link in flow["links"] if link["consumer"] == "billing")
    assert (told["event_type"], told["count"], told["failed_share"]) == ("payment.captured", 1, 0.0)
    assert get("/api/flow/blast", service="payment").json()["types"] == [
        "payment.captured",
        "payment.declined",
    ]


def test_traces_are_compared_and_exported_by_script(get, traffic):
    compared = get("/api/compare", left="order-1", right="order-9").json()
    assert (compared["parted_after"], compared["left_went"], compared["right_went"]) == (
        "order.placed", "payment.captured", "payment.declined",
    )  # fmt: skip
    assert get("/api/compare", left="order-1", right="no").status_code == 404
    assert get("/api/export", correlation_id="order-1", form="otlp").json()["resourceSpans"]
    assert get("/api/export", correlation_id="order-1", form="xml").status_code == 400


def test_the_search_field_speaks_the_language(browser, traffic):
    kind, _ = EventType.objects.get_or_create(name="order.placed")
    SearchableAttribute.objects.create(event_type=kind, name="order_id", path="order_id")
    while attributes.fill_older(known_after_s=0):
        pass
    assert "order-11" in browser.get("/traces/", {"q": "order_id:11"}).content.decode()
    guessed = browser.get("/traces/", {"q": "11"}).content.decode()
    assert "<b>11</b> is an order_id" in guessed
    lacking = browser.get(
        "/traces/", {"q": "payment.captured but not shipment.sent within 5m"}
    ).content.decode()
    assert "/traces/order-11/" in lacking
    assert "/traces/order-1/" not in lacking
    assert "/traces/order-9/" in browser.get("/traces/", {"q": "error"}).content.decode()
    assert "a length of time is written" in browser.get("/traces/", {"q": "duration>soon"}).content.decode()
    offered = browser.get("/searches/complete", {"word": "type:payment"}).json()["suggestions"]
    assert [one["text"] for one in offered] == ["type:payment.captured", "type:payment.declined"]
    assert "order_id:" in [
        one["text"] for one in browser.get("/searches/complete", {"word": "ord"}).json()["suggestions"]
    ]


def test_searches_are_saved_shared_and_forgotten(browser, client, db):
    browser.post("/searches/save", {"name": "Broken", "query": "q=error", "shared": "on"})
    browser.post("/searches/save", {"name": "Mine", "query": "q=slow"})
    assert "?q=error" in browser.get("/traces/").content.decode()
    client.force_login(User.objects.create_user("bob"))
    page = client.get("/traces/").content.decode()
    assert "Broken" in page
    assert "Mine" not in page
    mine = SavedSearch.objects.get(name="Mine")
    assert client.post(f"/searches/{mine.pk}/forget").status_code == 404
    browser.post(f"/searches/{mine.pk}/forget")
    noted = AuditEntry.objects.filter(target__startswith="trace search").values_list("action", "target")
    assert set(noted) == {
        ("save search", "trace search Broken"), ("save search", "trace search Mine"),
        ("delete search", "trace search Mine"),
    }  # fmt: skip
    assert SavedSearch.objects.count() == 1


def test_attributes_and_processes_are_declared_in_the_admin(browser, named):
    kind = EventType.objects.get(name="order.placed")
    bad = browser.post(
        "/admin/traces/searchableattribute/add/", {"event_type": kind.pk, "name": "Order Id", "path": "a..b"}
    )
    assert bad.status_code == 200
    browser.post(
        "/admin/traces/searchableattribute/add/",
        {"event_type": kind.pk, "name": "number", "path": "order_id"},
    )
    attribute = SearchableAttribute.objects.get()
    while attributes.fill_older(known_after_s=0):
        pass
    assert "11 filled" in browser.get("/admin/traces/searchableattribute/").content.decode()
    browser.post(
        f"/admin/traces/searchableattribute/{attribute.pk}/change/",
        {"event_type": kind.pk, "name": "number", "path": "no"},
    )
    attribute.refresh_from_db()
    assert attribute.filled_at is None
    assert browser.get(f"/admin/traces/process/{named.pk}/change/").status_code == 200
