"""A handler that reads one version of an event is given older events upcast to it; what is stored stays as it came."""

from eventhub.events.models import Event
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion
from tests.handlers.conftest import placed


def test_a_handler_reads_old_events_in_the_version_that_it_asked_for(hub, handles):
    event_type = EventType.objects.create(name="order.placed")
    upcast = {"expression": "{id: order_id, total: total}", "defaults": {"currency": "EUR"}}
    for version, step in (("1", None), ("2", upcast)):
        SchemaVersion.objects.create(
            event_type=event_type, version=version, status=SchemaStatus.ACTIVE, schema={}, upcast=step
        )
    read = []

    @handles("order.placed", name="ship", version="2")
    def ship(event):
        read.append((event.event_version, event.value))

    hub.take(placed(1), placed(2, event_version="2", data={"id": "new"}))
    hub.run("ship")
    assert read[0] == ("2", {"id": "o-1", "total": 12.5, "currency": "EUR"})
    assert read[1][0] == "2"
    assert read[1][1]["id"] == "new"
    assert Event.objects.get(event_id="evt-1").data == {"order_id": "o-1", "total": 12.5}
