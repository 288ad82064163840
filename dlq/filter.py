"""What people filter letters and groups by."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Filter(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to show; empty text and None filter nothing."""

    status: str = ""
    reason: str = ""
    source: str = ""
    event_type: str = ""
    q: str = ""
    correlation_id: str = ""
    group: int | None = None
    # The topic or queue it was for, or was read from.
    topic: str = ""
    failed_in: str = ""
    error_class: str = ""
    # When it failed last.
    since: datetime | None = None
    until: datetime | None = None
    # A value of the payload: data.order_id = 8412.
    attribute: str = ""
    # Which groups (`GroupState`), and whose; only groups are chosen by these.
    state: str = ""
    assignee: int | None = None


class GroupState(StrEnum):
    """What people decided about groups, as a filter."""

    SNOOZED = "snoozed"
    MINE = "mine"
    UNASSIGNED = "unassigned"
    REGRESSED = "regressed"
    FIXED = "fixed"
    ANY = "any"
