"""How fast the pages of dead letters answer when a million letters are there."""

import statistics
import time
from typing import TYPE_CHECKING

from benchmarks import stage
from benchmarks.record import record

if TYPE_CHECKING:
    from django.test import Client

LETTERS = 1_000_000
GROUPS = 400
GOAL_MS = 100.0
ROUNDS = 15
# What people open, by name: the page as it is, each filter by group and over all letters, where what is looked for is
# common, rare, and long ago.
FLAT = "group=all&"
PAGES = {
    "the page as it is": "",
    "status: discarded": "status=discarded",
    "status: resolved, all letters": f"{FLAT}status=resolved",
    "status: sent, of which there is none": f"{FLAT}status=sent",
    "any status, all letters": f"{FLAT}status=all",
    "all letters": FLAT,
    "source": "source=dlq-3",
    "source, all letters": f"{FLAT}source=dlq-3",
    "source long quiet, all letters": f"{FLAT}source=legacy",
    "reason of none, all letters": f"{FLAT}reason=undecodable",
    "type": "type=order.placed",
    "type, all letters": f"{FLAT}type=order.placed",
    "type long quiet, all letters": f"{FLAT}type=legacy.imported",
    "source and type": "source=dlq-0&type=order.placed",
    "source and type, all letters": f"{FLAT}source=dlq-0&type=order.placed",
    "source and type of none, all letters": f"{FLAT}source=legacy&type=order.placed",
    "service": "service=service-7",
    "service, all letters": f"{FLAT}service=service-7",
    "error class": "error=shop.Error77",
    "error class, all letters": f"{FLAT}error=shop.Error77",
    "error class long quiet, all letters": f"{FLAT}error=legacy.BadRow",
    "queue or topic": "q=topic+%3D+shop.t7",
    "queue or topic, all letters": f"{FLAT}q=topic+%3D+shop.t7",
    "topic long quiet, all letters": f"{FLAT}q=topic+%3D+legacy.rows",
    "queue that there is not, all letters": f"{FLAT}q=queue+%3D+nowhere",
    "words in every error": "q=could+not+be+handled",
    "words in every error, all letters": f"{FLAT}q=could+not+be+handled",
    "words in few errors, all letters": f"{FLAT}q=order+999777",
    "words in none, all letters": f"{FLAT}q=lantern",
    "an event id, all letters": f"{FLAT}q=evt-4711",
    "last hour": "since=1h",
    "last hour, all letters": f"{FLAT}since=1h",
    "last 24 h, all letters": f"{FLAT}since=24h",
    "last 24 h, any status, all letters": f"{FLAT}since=24h&status=all",
    "last 30 days, all letters": f"{FLAT}since=30d",
    "last hour and a source long quiet, all letters": f"{FLAT}since=1h&source=legacy",
    "correlation id": "q=trace+%3D+trace-99999",
    "correlation id, all letters": f"{FLAT}q=trace+%3D+trace-99999",
    "payload value of four": "q=data.order_id+%3D+4711",
    "payload value of four, all letters": f"{FLAT}q=data.order_id+%3D+4711",
    "payload value of a fifth, all letters": f"{FLAT}q=data.country+%3D+DE",
    "payload value of a twentieth, all letters": f"{FLAT}q=data.channel+%3D+c7",
    "payload value long ago, all letters": f"{FLAT}q=data.campaign+%3D+spring",
    "regressed groups": "state=regressed",
    "unassigned groups": "state=unassigned",
}


def run() -> bool:
    """The slowest 95th percentile of the pages over a million letters, in milliseconds of the server."""
    with stage.services():
        from django.contrib.auth.models import User
        from django.test import Client

        from benchmarks.letters import fill

        fill(LETTERS, GROUPS)
        client = Client(SERVER_NAME="localhost")
        client.force_login(User.objects.create_user("bench", is_staff=True))
        worst = measure(client)
    return record(
        "dlq-list",
        value=worst,
        unit="ms",
        reference=f"the time that a page over {LETTERS:,} letters may take",
        reference_value=GOAL_MS,
        goal=1.0,
        better="lower",
    )


def measure(client: "Client") -> float:
    """Print p50 and p95 of every page, the slowest first; returns the slowest p95 in milliseconds."""
    addresses = {name: f"/dead-letters/?{query}" for name, query in PAGES.items()} | _deeper()
    times = {name: _times_ms(client, address) for name, address in addresses.items()}
    print("     p50      p95  ms")
    for name, taken in sorted(times.items(), key=lambda item: -_p95(item[1])):
        print(f"{statistics.median(taken):8.1f} {_p95(taken):8.1f}  {name}", flush=True)
    return max(_p95(taken) for taken in times.values())


def _deeper() -> dict[str, str]:
    """A page in the middle of all letters, a quiet group, and one letter."""
    from dlq.models import DeadLetter, DeadLetterGroup
    from eventhub.pages.cursor import encode_cursor

    middle = DeadLetter.objects.order_by("pk").values_list("pk", flat=True)[LETTERS // 2]
    quiet = DeadLetterGroup.objects.filter(event_type="legacy.imported").values_list("pk", flat=True)[0]
    return {
        "all letters, from the middle on": f"/dead-letters/?{FLAT}cursor={encode_cursor(middle)}",
        "a source, from the middle on": f"/dead-letters/?{FLAT}source=dlq-3&cursor={encode_cursor(middle)}",
        "a quiet group": f"/dead-letters/?group={quiet}",
        "a group and a payload value": f"/dead-letters/?group={quiet}&q=data.country+%3D+DE",
        "news of all letters": f"/dead-letters/news/?{FLAT}after={middle}",
        "a letter": f"/dead-letters/{middle}/",
    }


def _times_ms(client: "Client", address: str) -> list[float]:
    client.get(address)  # what is compiled and cached at first is not told
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        response = client.get(address)
        times.append((time.perf_counter() - started) * 1000)
        if response.status_code != 200:
            raise AssertionError(f"{address} answers {response.status_code}")
    return times


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1]
