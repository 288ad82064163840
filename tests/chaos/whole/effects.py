"""The handler under chaos: it writes a row, and two for one event are one too many. Loaded by real workers.

Who tests must not import this: it would declare the handler in the tests' own process.
"""

from django.db import connection

from eventhub.handlers import Event, Retry, handles

HANDLED = ("chaos.kafka", "chaos.rabbitmq", "chaos.sqs", "chaos.redis", "chaos.http")


@handles(*HANDLED, name="chaos-effect", retry=Retry(max_attempts=50, base=0.2, cap=2.0))
def take_effect(event: Event) -> None:
    """Without a unique key: nothing but EventHub keeps it from happening twice."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO chaos_effect (event_id) VALUES (%s)", [event.event_id])
