"""Where a moment of a chart leads: the traces and the dead letters of that time, of what the chart is about."""

from urllib.parse import urlencode

from django.urls import reverse


def ways(*, event_type: str = "", service: str = "", source: str = "") -> dict[str, str]:
    """The addresses that a chart's script adds the time to. Letters of every status: many are repaired by now."""
    traces = {"type": event_type, "service": service}
    letters = {"status": "all", **traces, "source": source}
    return {
        "traces": _with(reverse("traces"), traces),
        "letters": _with(reverse("dead-letters"), letters),
    }


def _with(address: str, asked: dict[str, str]) -> str:
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"{address}?{query}" if query else address
