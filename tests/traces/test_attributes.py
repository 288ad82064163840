import json
import time

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from eventhub.events.message import Message
from eventhub.ingest.pipeline import Pipeline
from eventhub.schemas.models import EventType, PersonalField
from eventhub.traces import attributes
from eventhub.traces.models import AttributeValue, SearchableAttribute
from eventhub.traces.query import TraceQuery
from eventhub.traces.search import search
from tests.traces.building import START, at, event, order, store
from tests.traces.test_search import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def declare(event_type="order.placed", name="order_id", path="order_id"):
    kind, _ = EventType.objects.get_or_create(name=event_type)
    return SearchableAttribute.objects.create(event_type=kind, name=name, path=path)


def values():
    return set(AttributeValue.objects.values_list("value", "correlation_id"))


def found(*wanted, **more):
    hits = search(TraceQuery(attributes=wanted, **more), now=NOW, limit=50)
    return [one.trace.correlation_id for one in hits.found]


def fill():
    while attributes.fill_older(known_after_s=0):
        pass


def test_older_events_are_filled_in_pieces_with_progress(monkeypatch):
    store(*(one for number in range(25) for one in order(number, number * 60)))
    monkeypatch.setattr(attributes, "PIECE", 10)
    declared = declare()
    assert attributes.fill_older(0, known_after_s=0)
    declared.refresh_from_db()
    assert (declared.looked_at, declared.to_look_at, declared.progress) == (10, 25, 0.4)
    fill()
    declared.refresh_from_db()
    assert (declared.looked_at, declared.progress) == (25, 1.0)
    assert values() == {(str(number), f"order-{number}") for number in range(25)}


def test_a_new_declaration_waits_until_every_worker_knows_of_it():
    store(*order(1))
    declare()
    assert not attributes.fill_older()
    assert values() == set()


@pytest.mark.parametrize(
    ("data", "path", "kept"),
    [
        ({"order_id": "A-7"}, "order_id", {"a-7"}),
        ({"customer": {"id": 12}}, "customer.id", {"12"}),
        ({"items": [{"sku": "x"}, {"sku": "y"}]}, "items.1.sku", {"y"}),
        ({"vip": True}, "vip", {"true"}),
        ({"order_id": {"no": 1}}, "order_id", set()),
        ({"order_id": None}, "order_id", set()),
        ({"order_id": "x" * 201}, "order_id", set()),
        ({"order_id": ""}, "order_id", set()),
        ([1, 2], "order_id", set()),
        ("text", "order_id", set()),
    ],
)
def test_the_same_is_kept_by_the_job_and_by_ingest(data, path, kept, http_source):
    declare(path=path)
    store(event("old", data=data))
    fill()
    assert {value for value, _ in values()} == kept
    AttributeValue.objects.all().delete()
    ingest(http_source, "new", data)
    assert {value for value, _ in values()} == kept


def test_ingest_keeps_values_of_declared_types_only_and_of_new_events_only(http_source):
    declare()
    ingest(http_source, "one", {"order_id": 7})
    ingest(http_source, "one", {"order_id": 7})
    ingest(http_source, "two", {"order_id": 8}, event_type="order.paid")
    assert values() == {("7", "c-1")}


def test_traces_are_found_by_value_the_latest_first_and_by_several_values(shop_of_customers):
    assert found(("customer_id", "c-1")) == ["order-4", "order-2"]
    assert found(("customer_id", "c-1"), ("order_id", "2")) == ["order-2"]
    assert found(("order_id", "2"), ("customer_id", "c-0")) == []
    assert found(("order_id", "nothing")) == []
    assert found(("unheard_of", "1")) == []
    assert found(("customer_id", "c-1"), state="failed") == ["order-4"]
    assert found(("customer_id", "c-1"), end=at(3 * 60)) == ["order-2"]


def test_pages_of_a_value_follow_each_other(shop_of_customers):
    first = search(TraceQuery(attributes=(("customer_id", "c-1"),)), now=NOW, limit=1)
    second = search(TraceQuery(attributes=(("customer_id", "c-1"),)), now=NOW, limit=1, before=first.next_key)
    assert [hits.found[0].trace.correlation_id for hits in (first, second)] == ["order-4", "order-2"]


def test_a_bare_word_may_be_a_value(shop_of_customers):
    assert attributes.names_with("C-1") == ["customer_id"]
    assert attributes.names_with("4") == ["order_id"]
    assert attributes.names_with("c") == []


def test_retention_takes_values_out(shop_of_customers):
    assert attributes.drop_older_than(at(90)) == 2
    assert ("1", "order-1") not in values()


@pytest.fixture
def http_source(db):
    from eventhub.brokers.models import Kind, Source

    return Source.objects.create(name=f"http-{time.monotonic_ns()}", kind=Kind.HTTP)


@pytest.fixture
def shop_of_customers():
    """Orders 1…4, a minute apart, of customers c-1 (even) and c-0 (odd); order 4 was declined."""
    for number in range(1, 5):
        placed, *others = order(number, number * 60, fails=number == 4)
        data = {"order_id": number, "customer_id": f"c-{(number + 1) % 2}"}
        store(
            event(
                placed.event_id, "order.placed", number * 60, data=data, correlation_id=placed.correlation_id
            )
        )
        store(*others)
    declare()
    declare(name="customer_id", path="customer_id")
    fill()


def ingest(source, event_id, data, event_type="order.placed"):
    body = json.dumps(
        {
            "event_id": event_id,
            "event_type": event_type,
            "timestamp": START.isoformat(),
            "data": data,
            "metadata": {"correlation_id": "c-1", "source": "shop"},
        }
    ).encode()
    pipeline = Pipeline(source)
    pipeline.write(pipeline.prepare([Message(body, "t", event_id, f"k:{event_id}")]))
    connection.close_if_unusable_or_obsolete()


def test_a_field_that_is_marked_as_personal_is_searched_by_no_longer():
    event_type = EventType.objects.create(name="customer.signed_up")
    mail = SearchableAttribute.objects.create(event_type=event_type, name="mail", path="contact.0.mail")
    SearchableAttribute.objects.create(event_type=event_type, name="customer", path="id")
    AttributeValue.objects.create(
        attribute_id=mail.pk, value="a@b.c", occurred_at=START, position=1, event_id="e-1"
    )
    assert attributes.names() == ["customer", "mail"]
    PersonalField.objects.create(event_type=event_type, path="$.contact[*].mail")
    assert attributes.names() == ["customer"]
    assert attributes.ids_of("mail") == []
    assert not AttributeValue.objects.exists()
    with pytest.raises(ValidationError, match="nobody searches by it"):
        mail.full_clean()
