"""Groups of dead letters and saved filters over the REST API."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja import Router, Schema
from ninja.errors import HttpError

from dlq import regrouping, saved, triage
from dlq.api import Problem
from dlq.models import DeadLetterGroup, GroupRule, SavedFilter
from dlq.permissions import require_group
from eventhub.access.audit import actor_of
from eventhub.access.auth import requires
from eventhub.access.models import Scope

router = Router(tags=["dead-letter groups"])
T = TypeVar("T")


class AssignIn(Schema):
    """To whom; an empty name: to nobody."""

    username: str


class CommentIn(Schema):
    """What to say."""

    text: str


class SnoozeIn(Schema):
    """Until a time, or until it has failed so often more; neither: wake it."""

    until: datetime | None = None
    failures: int | None = None


class FixedIn(Schema):
    """In which release; `fixed: false` takes it back."""

    release: str = ""
    fixed: bool = True


class MergeIn(Schema):
    """Which groups are merged into this one."""

    groups: list[int]


class SplitIn(Schema):
    """By what: a column like ``topic``, or a path of the payload like ``data.country``."""

    field: str


class Comment(Schema):
    """What somebody said about a group."""

    id: int
    author: str
    text: str
    made_at: datetime


class Rule(Schema):
    """A person's rule on which group letters belong to. `settled_at`: when the letters from before had moved."""

    id: int
    kind: str
    group_id: int
    target_id: int | None
    field: str
    made_by: str
    made_at: datetime
    undone_by: str
    undone_at: datetime | None
    settled_at: datetime | None


class GroupState(Schema):
    """What people decided about a group."""

    id: int
    title: str
    assignee: str | None
    snoozed_until: datetime | None
    snoozed_until_failures: int | None
    fixed_at: datetime | None
    fixed_in: str
    fixed_by: str
    regressed_at: datetime | None

    @staticmethod
    def resolve_assignee(group: DeadLetterGroup) -> str | None:
        """The person's user name."""
        return group.assignee.get_username() if group.assignee else None


class FilterIn(Schema):
    """A filter of the list: the part of its address after the question mark."""

    name: str
    query: str
    is_shared: bool = False


class Filter(Schema):
    """A saved filter."""

    id: int
    name: str
    query: str
    is_shared: bool
    owner: str

    @staticmethod
    def resolve_owner(found: SavedFilter) -> str:
        """Whose it is."""
        return found.owner.get_username()


GROUP = "/dead-letter-groups/{int:group_id}"
ANSWERS: dict[Any, Any] = {200: GroupState, (403, 422): Problem}


@router.post(
    f"{GROUP}/assign", auth=requires(Scope.OPERATE, divided=True), response=ANSWERS, summary="Assign"
)
def assign(request: HttpRequest, group_id: int, body: AssignIn) -> DeadLetterGroup:
    """Give the group to a person, or to nobody."""
    _require(request, group_id)
    return _done(lambda: triage.assign(group_id, body.username, actor_of(request)))


@router.post(
    f"{GROUP}/snooze", auth=requires(Scope.OPERATE, divided=True), response=ANSWERS, summary="Snooze or wake"
)
def snooze(request: HttpRequest, group_id: int, body: SnoozeIn) -> DeadLetterGroup:
    """Keep the group off the list for a while."""
    _require(request, group_id)
    actor = actor_of(request)
    if body.until is None and body.failures is None:
        return _done(lambda: triage.wake(group_id, actor))
    return _done(lambda: triage.snooze(group_id, actor, until=body.until, failures=body.failures))


@router.post(
    f"{GROUP}/fixed", auth=requires(Scope.OPERATE, divided=True), response=ANSWERS, summary="Mark as fixed"
)
def fixed(request: HttpRequest, group_id: int, body: FixedIn) -> DeadLetterGroup:
    """Say that what it died of is fixed; a failure after that makes it a regression."""
    _require(request, group_id)
    actor = actor_of(request)
    if not body.fixed:
        return _done(lambda: triage.mark_unfixed(group_id, actor))
    return _done(lambda: triage.mark_fixed(group_id, body.release, actor))


@router.get(f"{GROUP}/comments", auth=requires(Scope.READ), response=list[Comment], summary="Comments")
def comments(request: HttpRequest, group_id: int) -> Any:
    """What was said about the group, the oldest first."""
    return DeadLetterGroup(pk=group_id).comments.all()


@router.post(
    f"{GROUP}/comments",
    auth=requires(Scope.OPERATE, divided=True),
    response={200: Comment, (403, 422): Problem},
    summary="Comment",
)
def comment(request: HttpRequest, group_id: int, body: CommentIn) -> Any:
    """Say something about the group."""
    _require(request, group_id)
    return _done(lambda: triage.comment(group_id, body.text, actor_of(request)))


@router.post(
    f"{GROUP}/merge",
    auth=requires(Scope.OPERATE),
    response={200: list[Rule], (403, 422): Problem},
    summary="Merge groups into this one",
)
def merge(request: HttpRequest, group_id: int, body: MergeIn) -> Any:
    """Letters of these groups move here, later ones follow."""
    return _done(lambda: regrouping.merge(body.groups, group_id, actor_of(request)))


@router.post(
    f"{GROUP}/split",
    auth=requires(Scope.OPERATE),
    response={200: Rule, (403, 422): Problem},
    summary="Split by a field",
)
def split(request: HttpRequest, group_id: int, body: SplitIn) -> Any:
    """Each value of the field makes a group."""
    return _done(lambda: regrouping.split(group_id, body.field, actor_of(request)))


@router.get(
    "/dead-letter-rules", auth=requires(Scope.READ), response=list[Rule], summary="Rules about groups"
)
def rules(request: HttpRequest) -> Any:
    """All rules, those that were undone too, the oldest first."""
    return GroupRule.objects.order_by("pk")


@router.post(
    "/dead-letter-rules/{int:rule_id}/undo",
    auth=requires(Scope.OPERATE),
    response={200: Rule, (403, 422): Problem},
    summary="Undo a rule",
)
def undo(request: HttpRequest, rule_id: int) -> Any:
    """Its letters go back to where they would be without it."""
    return _done(lambda: regrouping.undo(rule_id, actor_of(request)))


@router.get("/dead-letter-filters", auth=requires(Scope.READ), response=list[Filter], summary="Saved filters")
def filters(request: HttpRequest) -> Any:
    """A person's own and the shared ones; for a token, the shared ones."""
    person = _person(request)
    shared = SavedFilter.objects.filter(is_shared=True).select_related("owner")
    return saved.of_person(person) if person else shared


@router.post(
    "/dead-letter-filters",
    auth=requires(Scope.READ),
    response={200: Filter, (403, 422): Problem},
    summary="Save a filter",
)
def save_filter(request: HttpRequest, body: FilterIn) -> Any:
    """Keep a filter for oneself, or for everybody."""
    person = _person(request)
    if person is None:
        raise HttpError(403, "A filter belongs to a person: log in, a token has none.")
    try:
        return saved.save(person, body.name, body.query, actor_of(request), is_shared=body.is_shared)
    except saved.CannotSave as error:
        raise HttpError(422, str(error)) from error


@router.delete(
    "/dead-letter-filters/{int:filter_id}",
    auth=requires(Scope.READ),
    response={204: None, (403, 404): Problem},
    summary="Delete a filter",
)
def forget_filter(request: HttpRequest, filter_id: int) -> tuple[int, None]:
    """Delete a filter of one's own."""
    person = _person(request)
    if person is None or not saved.forget(person, filter_id, actor_of(request)):
        raise HttpError(404, "You have no such filter.")
    return 204, None


def _person(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None


def _require(request: HttpRequest, group_id: int) -> None:
    group = DeadLetterGroup.objects.select_related("source").filter(pk=group_id).first()
    if group is not None:  # else the deed says that there is none
        require_group(request, group)


def _done(deed: Callable[[], T]) -> T:
    try:
        return deed()
    except (triage.CannotDecide, regrouping.CannotRegroup) as error:
        raise HttpError(422, str(error)) from error
