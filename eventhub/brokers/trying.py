"""Trying a source's connection: open it, ask what waits, say what happened."""

import threading
from time import monotonic

import msgspec
from django.db import connections

from eventhub.brokers.adapter import BrokerError, Lag, is_polled, open_adapter
from eventhub.brokers.models import Source
from eventhub.brokers.secrets.scrubbing import scrub

TIMEOUT_S = 8.0


class Report(msgspec.Struct, frozen=True):
    """Whether the broker answered, and what there is to say about it."""

    ok: bool
    text: str


def try_connection(source: Source, timeout_s: float = TIMEOUT_S) -> Report:
    """Connect to the broker of `source`, which need not be saved, and ask what waits there. Reads no message."""
    if not is_polled(source):
        return Report(
            True, f"{source.name} is written to by POST /api/events: there is nothing to connect to."
        )
    reports: list[Report] = []
    # A thread, because a broker that does not answer must not hold the page for as long as it likes.
    thread = threading.Thread(target=lambda: reports.append(_try(source)), daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not reports:
        return Report(
            False,
            f"The broker has not answered for {timeout_s:.0f} s. Check the address, and that nothing blocks the way "
            "from here to it.",
        )
    return reports[0]


def _try(source: Source) -> Report:
    started = monotonic()
    try:
        adapter = open_adapter(source, consumer="eventhub-test")
        try:
            lags = adapter.lag()
        finally:
            adapter.close()
    except BrokerError as error:
        return Report(False, str(error))
    except Exception as error:  # noqa: BLE001 - what an adapter did not foresee is what the person wants to read
        return Report(False, scrub(f"{type(error).__name__}: {error}"))
    finally:
        connections.close_all()  # nobody else closes a thread's connection
    took_ms = round(1000 * (monotonic() - started))
    return Report(True, f"The broker answered in {took_ms} ms. {_say(lags)}")


def _say(lags: list[Lag]) -> str:
    if not lags:
        return "Nothing is there yet to read."
    waiting = [
        f"{lag.topic}: {'unknown' if lag.messages is None else f'{lag.messages:,}'}" for lag in lags[:8]
    ]
    more = f" and {len(lags) - 8} more" if len(lags) > 8 else ""
    return f"Waiting messages: {', '.join(waiting)}{more}."
