"""The tags and filters of every template (no `{% load %}` needed). docs/front-end.md lists them with examples."""

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from eventhub.pages import formats, hues, icons
from eventhub.pages.json_tree import json_tree as tree_of

register = template.Library()

STATE_ICONS = {
    "ok": "circle-check-filled",
    "busy": "alert-triangle",
    "broken": "circle-x-filled",
    "unknown": "circle-dashed",
    "accent": "info-circle",
}


@register.filter
def ago(at: datetime | None) -> SafeString:
    """`{{ at|ago }}`: "12 s ago", kept fresh; the exact time on hover, a click copies it."""
    return _time(at, "ago")


@register.filter
def exact(at: datetime | None) -> SafeString:
    """`{{ at|exact }}`: the moment in UTC with milliseconds."""
    return _time(at, "exact")


def _time(at: datetime | None, form: str) -> SafeString:
    if not isinstance(at, datetime):
        return format_html('<span class="quiet">{}</span>', formats.NOTHING)
    text = formats.ago(at) if form == "ago" else formats.exact(at)
    return format_html(
        '<time datetime="{}" data-time="{}" title="{}">{}</time>',
        formats.iso(at),
        form,
        formats.exact(at),
        text,
    )


@register.filter
def number(value: float | None) -> str:
    """`{{ 12300|number }}`: 12.3 k."""
    return formats.number(_figure(value))


@register.filter
def rate(per_second: float | None) -> str:
    """`{{ per_second|rate }}`: 4,812/s."""
    return formats.rate(_figure(per_second))


@register.filter
def duration(seconds: float | timedelta | None) -> str:
    """`{{ seconds|duration }}`: 1.8 s; takes seconds or a timedelta."""
    return formats.duration(seconds.total_seconds() if isinstance(seconds, timedelta) else _figure(seconds))


@register.filter
def size(n_bytes: float | None) -> str:
    """`{{ bytes|size }}`: 12.3 kB."""
    return formats.size(_figure(n_bytes))


@register.filter
def percent(share: float | None) -> str:
    """`{{ share|percent }}`: a share from 0 to 1 as 0.31 %."""
    return formats.percent(_figure(share))


@register.filter
def short_id(text: object) -> SafeString:
    """`{{ id|short_id }}`: shortened in the middle, whole on hover; a click copies it (outside of links)."""
    if text is None or text == "":
        return format_html('<span class="quiet">{}</span>', formats.NOTHING)
    whole = str(text)
    return format_html(
        '<span class="id" data-copy="{}" title="{}">{}</span>', whole, whole, formats.short_id(whole)
    )


@register.filter
def hue(event_type: str | None) -> str:
    """`<i class="dot {{ type|hue }}">`: the class that carries the event type's own colour, hue-0 … hue-11."""
    return f"hue-{hues.hue_of(str(event_type or ''))}"


@register.filter
def json_tree(value: Any) -> SafeString:
    """`{{ event.data|json_tree }}`: coloured, foldable JSON."""
    return tree_of(value)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """`{% icon "inbox" %}`; give a label only where no word stands beside it."""
    drawing = mark_safe(icons.svg(name))  # noqa: S308 - vendored files
    if not label:
        return drawing
    return format_html('{}<span class="visually-hidden">{}</span>', drawing, label)


@register.simple_tag
def state(kind: str, word: object = "", title: str = "") -> SafeString:
    """`{% state "broken" "stalled" %}`: colour, icon and word. Kinds: ok, busy, broken, unknown (and accent)."""
    kind = kind if kind in STATE_ICONS else "unknown"
    drawing = mark_safe(icons.svg(STATE_ICONS[kind]))  # noqa: S308
    hover = format_html(' title="{}"', title) if title else ""
    return format_html('<span class="state state-{}"{}>{}{}</span>', kind, hover, drawing, str(word) or kind)


@register.simple_tag
def event_type_name(name: str, version: str = "") -> SafeString:
    """`{% event_type_name event.event_type %}`: the type with a dot of its colour, the entity in bold."""
    head, dot, rest = str(name).partition(".")
    tail = format_html(' <span class="quiet">v{}</span>', version) if version else ""
    return format_html(
        '<span class="event-type {}"><i class="dot"></i><b>{}</b>{}{}{}</span>',
        hue(name),
        head,
        dot,
        rest,
        tail,
    )


@register.simple_tag
def service_name(name: str | None) -> SafeString:
    """`{% service_name event.source %}`: the service with its glyph."""
    if not name:
        return format_html('<span class="quiet">{}</span>', formats.NOTHING)
    drawing = mark_safe(icons.svg(hues.glyph_of(name)))  # noqa: S308
    return format_html('<span class="service">{}{}</span>', drawing, name)


@register.simple_tag
def skeleton(rows: int = 5) -> SafeString:
    """`{% skeleton 8 %}`: grey rows of the final size while a list loads."""
    return mark_safe(f'<div class="skeleton" aria-hidden="true">{"<i></i>" * int(rows)}</div>')  # noqa: S308


@register.simple_tag
def nav_url(name: str) -> str:
    """The address of one of the rail's pages."""
    return reverse(name)


def _figure(value: Any) -> float | None:
    """What came from the database or a context (Decimal, str, int) as a number."""
    if value is None or value == "":
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
