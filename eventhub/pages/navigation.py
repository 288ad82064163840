"""The pages of the left rail, the palette and the `g` keys. A new page is one line here."""

from dataclasses import dataclass

from django.urls import reverse


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the product and how one gets to it."""

    # The URL's name.
    route: str
    label: str
    icon: str
    # Pressed after `g`.
    key: str
    # Other routes that belong to this page: its entry stays lit on them.
    inside: tuple[str, ...] = ()
    # Staff only.
    staff: bool = False
    # Path into the live snapshot of the number shown beside the label.
    count: str = ""


PAGES = (
    Page(route="overview", label="Overview", icon="layout-dashboard", key="o"),
    Page(route="traces", label="Traces", icon="timeline", key="t", inside=("trace", "event")),
    Page(
        route="dead-letters",
        label="Dead letters",
        icon="mail-x",
        key="d",
        inside=("dead-letter",),
        count="dead_letters.open",
    ),
    Page(
        route="sources",
        label="Sources",
        icon="plug-connected",
        key="s",
        inside=("source", "source-choose", "source-add", "source-edit"),
    ),
    Page(route="figures", label="Figures", icon="chart-area-line", key="f"),
    Page(route="lag", label="Lag", icon="hourglass", key="l", inside=("lag-group",)),
    Page(route="storage", label="Storage", icon="database", key="b"),
    Page(route="handlers", label="Handlers", icon="bolt", key="h", inside=("handler",)),
    Page(
        route="event-types",
        label="Catalogue",
        icon="tags",
        key="c",
        inside=("event-type", "schema-edit", "schema-import", "schema-drift", "schema-upcast"),
    ),
    Page(route="flow-map", label="Flow map", icon="topology-star-3", key="m"),
    Page(route="processes", label="Processes", icon="route", key="p", inside=("process", "process-mined")),
    Page(
        route="streams",
        label="Streams",
        icon="layers-linked",
        key="v",
        inside=("stream", "projections", "replays"),
    ),
    Page(route="sagas", label="Sagas", icon="git-branch", key="w", inside=("saga",)),
    Page(
        route="review",
        label="Flow review",
        icon="checklist",
        key="r",
        inside=("review-finding", "review-rule", "review-report"),
    ),
    Page(route="alerts", label="Alerts", icon="bell", key="n", count="alerts_firing"),
    Page(route="admin:index", label="Admin", icon="settings", key="a", staff=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A page as one visitor sees it now."""

    page: Page
    url: str
    current: bool


def entries(*, is_staff: bool, current_route: str) -> list[Entry]:
    """The rail's entries for this visitor. `current_route` is the matched URL's name, with its namespace."""
    found = []
    for page in PAGES:
        if page.staff and not is_staff:
            continue
        namespace = page.route.partition(":")[0] + ":" if ":" in page.route else None
        current = current_route in (page.route, *page.inside) or bool(
            namespace and current_route.startswith(namespace)
        )
        found.append(Entry(page=page, url=reverse(page.route), current=current))
    return found
