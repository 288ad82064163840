"""How sagas hear events: by a handler of their own, so each event is heard once, whatever is killed."""

from django.db import connection

from eventhub.events.queries import StoredEvent
from eventhub.handlers import registry
from eventhub.sagas import declaring, starting
from eventhub.sagas.models import ENDED, Heard, Instance

_connected: dict[str, set[str]] = {}


def connect() -> None:
    """Declare a handler for each saga that wants to hear something. Calling it again adds what is new."""
    wanted: dict[str, set[str]] = {}
    for (name, _), definition in declaring.declared().items():
        wanted.setdefault(name, set()).update(definition.listens_to())
    for name, types in wanted.items():
        if types and name not in _connected:
            _connected[name] = types
            registry.handles(*sorted(types), name=f"saga-{name}", order_by="correlation_id")(_listener(name))


class _Listener:
    """The handler of one saga."""

    def __init__(self, saga: str) -> None:
        self.saga = saga
        self.__qualname__ = f"saga {saga}"
        self.__doc__ = f"Brings its events to the instances of the saga {saga}."

    def __call__(self, event: StoredEvent) -> None:
        """Note the event for the instances it concerns, and start one where the saga starts with it."""
        hear(self.saga, event)


def _listener(saga: str) -> _Listener:
    return _Listener(saga)


def hear(saga: str, event: StoredEvent) -> int:
    """Bring `event` to the open instances of `saga` with its correlation id; how many there are."""
    about = event.correlation_id or event.stream
    if about is None:
        return 0
    if event.event_type in declaring.latest(saga).starts_on:
        data = event.value if isinstance(event.value, dict) else {}
        starting.start(saga, about, data, correlation_id=about)
    found = list(
        Instance.objects.filter(saga=saga, correlation_id=about)
        .exclude(state__in=ENDED)
        .values_list("pk", flat=True)
    )
    Heard.objects.bulk_create(
        [
            Heard(instance_id=pk, event_id=event.event_id, event_type=event.event_type, data=event.value)
            for pk in found
        ],
        ignore_conflicts=True,
    )
    with connection.cursor() as cursor:
        # A worker that has the instance in hand is waited for: it may not have seen the event.
        cursor.execute(
            "UPDATE sagas_instance SET due_at = now() WHERE id = ANY(%s) AND state <> 'parked'", [found]
        )
    return len(found)
