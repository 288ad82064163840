"""Who may open which page: one table, which the middleware enforces and the access matrix test walks.

A new page is a line here. Until it has one, who may see anything may see it, and only administrators may change
anything on it. The API says it beside each operation (``auth=requires(…)``).
"""

from dataclasses import dataclass
from enum import Enum

from django.urls import ResolverMatch

from eventhub.access.models import Role


class Door(Enum):
    """Addresses that let in or refuse by themselves."""

    PUBLIC = "open to everybody"
    OWN = "asks for a token, a link or a login of its own"
    ADMIN = "Django's admin: by Django's permissions"


@dataclass(frozen=True, slots=True)
class Rule:
    """The role that reading and changing need at least. Without `write` nothing can be changed there, by nobody."""

    read: Role = Role.VIEWER
    write: Role | None = None
    # The view itself asks whether the thing is within reach, so those may enter who have the role for some of them.
    divided: bool = False

    def role(self, method: str) -> Role | None:
        """What a request with this method needs; None: it is not taken at all."""
        return self.read if method in SAFE else self.write


SAFE = ("GET", "HEAD", "OPTIONS")
SEE = Rule()
# What people change for themselves alone, so that seeing is enough.
KEEP_FOR_ONESELF = Rule(Role.VIEWER, Role.VIEWER)
OPERATE = Rule(Role.OPERATOR, Role.OPERATOR)
OPERATE_ITS_OWN = Rule(Role.OPERATOR, Role.OPERATOR, divided=True)
EDIT = Rule(Role.EDITOR, Role.EDITOR)
EDIT_ITS_OWN = Rule(Role.EDITOR, Role.EDITOR, divided=True)
UNLISTED = Rule(Role.VIEWER, Role.ADMINISTRATOR)

PAGES: dict[str, Rule | Door] = {
    "healthz": Door.PUBLIC,
    "readyz": Door.PUBLIC,
    "login": Door.PUBLIC,
    "logout": Door.PUBLIC,
    "sso": Door.PUBLIC,
    "sso-callback": Door.PUBLIC,
    "components": SEE,
    # What is shown
    "overview": SEE,
    "overview-series": SEE,
    "palette": SEE,
    "live-snapshot": SEE,
    "figures": SEE,
    "figures-series": SEE,
    "storage": SEE,
    "lag": SEE,
    "lag-group": SEE,
    "metrics": Door.OWN,
    "wall": Door.OWN,
    "wall-data": Door.OWN,
    "wall-share": OPERATE,
    "traces": SEE,
    "trace": SEE,
    "event": SEE,
    "flow-map": SEE,
    "flow-map-data": SEE,
    "processes": SEE,
    "process": SEE,
    "process-mined": SEE,
    "process-name": EDIT,
    # Searches and filters of one's own
    "search-save": KEEP_FOR_ONESELF,
    "search-forget": KEEP_FOR_ONESELF,
    "search-complete": SEE,
    "dead-letter-filters": KEEP_FOR_ONESELF,
    "dead-letter-filter-forget": KEEP_FOR_ONESELF,
    # Sources
    "sources": SEE,
    "source": SEE,
    "source-pause": OPERATE_ITS_OWN,
    "source-resume": OPERATE_ITS_OWN,
    "source-test": OPERATE_ITS_OWN,
    "source-limits": EDIT_ITS_OWN,
    "source-choose": EDIT,
    "source-add": EDIT,
    "source-edit": EDIT_ITS_OWN,
    # The guide
    "first-steps": SEE,
    "first-steps-connect": EDIT,
    "first-steps-send": OPERATE,
    "first-steps-see": KEEP_FOR_ONESELF,
    "first-steps-put-away": KEEP_FOR_ONESELF,
    # Alerts
    "alerts": SEE,
    "alert-silence": OPERATE,
    "silence-end": OPERATE,
    "channel-test": OPERATE,
    # Flow review
    "review": SEE,
    "review-report": SEE,
    "review-rule": SEE,
    "review-finding": SEE,
    "review-decide": OPERATE,
    # Dead letters
    "dead-letters": SEE,
    "dead-letters-news": SEE,
    "dead-letter": SEE,
    "dead-letter-body": SEE,
    "dead-letter-raw": SEE,
    "dead-letters-retry": OPERATE_ITS_OWN,
    "dead-letters-discard": OPERATE_ITS_OWN,
    "dead-letters-reopen": OPERATE_ITS_OWN,
    "dead-letters-read-again": OPERATE_ITS_OWN,
    "dead-letters-resolve": OPERATE_ITS_OWN,
    "dead-letter-edit": OPERATE_ITS_OWN,
    "dead-letter-edit-check": OPERATE_ITS_OWN,
    "dead-letter-edits": SEE,
    "dead-letter-edit-decide": OPERATE_ITS_OWN,
    "group-assign": OPERATE_ITS_OWN,
    "group-snooze": OPERATE_ITS_OWN,
    "group-fixed": OPERATE_ITS_OWN,
    "group-notes": OPERATE_ITS_OWN,
    "group-regroup": OPERATE,
    "group-rule-undo": OPERATE,
    "retry-jobs": SEE,
    "retry-job": SEE,
    "retry-job-progress": SEE,
    "retry-job-csv": SEE,
    "retry-job-pause": OPERATE_ITS_OWN,
    "retry-job-resume": OPERATE_ITS_OWN,
    "retry-job-cancel": OPERATE_ITS_OWN,
    # Catalogue
    "event-types": SEE,
    "event-type": SEE,
    "asyncapi": SEE,
    "schema-drift": SEE,
    "schema-import": EDIT,
    "schema-edit": EDIT_ITS_OWN,
    "schema-check": EDIT_ITS_OWN,
    "schema-save": EDIT_ITS_OWN,
    "schema-upcast": EDIT_ITS_OWN,
    # Handlers, streams, sagas
    "handlers": SEE,
    "handler": SEE,
    "handler-off": OPERATE,
    "handler-replay": OPERATE,
    "handler-change": OPERATE,
    "handler-replay-cancel": OPERATE,
    "streams": SEE,
    "stream": SEE,
    "projections": SEE,
    "projection-change": OPERATE,
    "replays": SEE,
    "replay-new": OPERATE,
    "replay-cancel": OPERATE,
    "sagas": SEE,
    "saga": SEE,
    "saga-change": OPERATE,
}


def rule_for(match: ResolverMatch) -> Rule | Door | None:
    """The line of the table for what an address leads to; None where there is none."""
    first = match.namespaces[0] if match.namespaces else ""
    if first == "admin" or match.route == "admin/login/":
        return Door.ADMIN
    if first.startswith("api") or match.route.startswith("registry/"):
        return Door.OWN
    return PAGES.get(match.url_name or "")
