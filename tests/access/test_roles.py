import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.test import RequestFactory

from dlq import intake
from dlq import permissions as of_letters
from dlq.models import DeadLetter
from eventhub.access import audit
from eventhub.access.groups import give_role, given_role, make_groups
from eventhub.access.models import AuditEntry, Grant, Role, Scope
from eventhub.access.roles import in_words, may, reach, require, role_of
from eventhub.brokers.models import Kind, Source
from eventhub.schemas.models import EventType
from tests.access.people import browser, person, script
from tests.dlq.letters import broken

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", Role)
def test_a_role_includes_those_before_it(role):
    user = person(role)
    order = list(Role)
    assert [one for one in Role if may(user, one)] == order[: order.index(role) + 1]


def test_accounts_without_a_role_may_do_what_the_setting_says(settings):
    assert role_of(person(None)) == Role.VIEWER
    settings.DEFAULT_ROLE = ""
    newcomer = User.objects.get()
    assert role_of(newcomer) is None
    page = browser(newcomer).get("/")
    assert page.status_code == 403
    assert "you need the role “viewer”" in page.content.decode()


def test_staff_without_a_role_are_operators_and_superusers_administrators():
    assert role_of(User.objects.create_user("ops", is_staff=True)) == Role.OPERATOR
    assert role_of(User.objects.create_superuser("root")) == Role.ADMINISTRATOR


def test_who_is_not_active_may_nothing():
    user = person(Role.ADMINISTRATOR)
    user.is_active = False
    user.save()
    assert not may(User.objects.get(), Role.VIEWER)


def test_a_grant_is_for_its_source_alone_and_lets_see_everything(settings):
    settings.DEFAULT_ROLE = ""
    user = person(None, operator="payments")
    assert may(user, Role.VIEWER)
    assert may(user, Role.OPERATOR, source="payments")
    assert not may(user, Role.OPERATOR, source="orders")
    assert not may(user, Role.OPERATOR)
    assert not may(user, Role.EDITOR, source="payments")
    with pytest.raises(PermissionDenied, match="for the source payments only"):
        require(user, Role.OPERATOR, source="orders")


def test_where_a_right_goes_is_said_in_words():
    user = person(None)
    for source in ("payments", "orders"):
        Grant.objects.create(user=user, role=Role.OPERATOR, source=source)
    Grant.objects.create(user=user, role=Role.OPERATOR, team="checkout")
    words = in_words(reach(User.objects.get(), Role.OPERATOR))
    assert words == "the sources orders, payments and the team checkout"


def test_the_groups_are_there_and_what_was_added_by_hand_stays():
    assert set(Group.objects.values_list("name", flat=True)) >= set(Role.values)
    viewer = Group.objects.get(name="viewer")
    by_hand = Group.objects.get(name="editor").permissions.get(codename="add_schemaversion")
    viewer.permissions.add(by_hand)
    viewer.permissions.remove(viewer.permissions.get(codename="look"))
    make_groups()
    assert set(viewer.permissions.values_list("codename", flat=True)) == {"look", "add_schemaversion"}


def test_giving_a_role_takes_the_one_before_and_is_noted():
    user = person(Role.OPERATOR)
    assert give_role(user, Role.VIEWER, audit.SYSTEM)
    assert not give_role(user, Role.VIEWER, audit.SYSTEM)
    assert given_role(user) == Role.VIEWER
    entry = AuditEntry.objects.order_by("-pk").first()
    assert entry is not None
    assert (entry.action, entry.detail) == ("give role", {"role": "viewer", "before": ["operator"]})


def make_letter(source_name: str, event_type: str = "") -> DeadLetter:
    origin = Source.objects.filter(name=source_name).first() or source(source_name)
    key = f"redis:{source_name}/{event_type}"
    with transaction.atomic():
        intake.record(origin, [broken(1, read_from=source_name, origin_key=key)])
    letter = DeadLetter.objects.get(origin_key=key)
    DeadLetter.objects.filter(pk=letter.pk).update(event_type=event_type or None)
    letter.refresh_from_db()
    return letter


def source(name: str) -> Source:
    return Source.objects.create(name=name, kind=Kind.REDIS, config={"streams": [name]})


def test_an_operator_of_one_source_pauses_that_one_and_sees_no_button_for_others():
    source("payments"), source("orders")
    client = browser(person(Role.VIEWER, operator="payments"))
    assert client.post("/sources/payments/pause").status_code == 302
    refused = client.post("/sources/orders/pause")
    assert refused.status_code == 403
    assert "for the source payments only" in refused.content.decode()
    assert not Source.objects.get(name="orders").paused
    page = client.get("/sources/").content.decode()
    assert "/sources/payments/resume" in page
    assert "/sources/orders/pause" not in page


def test_an_operator_of_one_source_retries_its_letters_alone():
    mine, other = make_letter(source_name="payments"), make_letter(source_name="orders")
    client = browser(person(Role.VIEWER, operator="payments"))
    form = {"letter": [mine.pk, other.pk], "reason": "test"}
    refused = client.post("/dead-letters/discard/", form)
    assert refused.status_code == 403
    assert "One of these letters is not of the source payments" in refused.content.decode()
    assert client.post("/dead-letters/discard/", {"letter": mine.pk, "reason": "test"}).status_code == 204
    assert DeadLetter.objects.get(pk=mine.pk).status == "discarded"
    assert DeadLetter.objects.get(pk=other.pk).status == "open"


def test_an_operator_of_a_team_works_on_the_letters_of_its_types():
    EventType.objects.create(name="order.placed", owner="checkout")
    mine = make_letter(source_name="orders", event_type="order.placed")
    other = make_letter(source_name="orders", event_type="payment.failed")
    request = RequestFactory().get("/")
    request.user = person(Role.VIEWER, operator_team="checkout")
    of_letters.require_ids(request, [mine.pk])
    with pytest.raises(PermissionDenied):
        of_letters.require_ids(request, [mine.pk, other.pk])
    assert of_letters.within(request, mine)
    assert not of_letters.within(request, other)


def test_an_editor_of_a_team_writes_its_schemas_alone():
    EventType.objects.create(name="order.placed", owner="checkout")
    EventType.objects.create(name="payment.failed", owner="payments")
    client = browser(person(Role.VIEWER, editor_team="checkout"))
    assert client.get("/catalogue/edit/order.placed/").status_code == 200
    assert client.get("/catalogue/edit/payment.failed/").status_code == 403
    assert "/catalogue/edit/order.placed/" in client.get("/event-types/order.placed/").content.decode()
    assert "/catalogue/edit/" not in client.get("/event-types/payment.failed/").content.decode()


def test_a_token_for_one_source_sends_to_it_and_to_no_other():
    source("payments")
    Source.objects.create(name="shop", kind=Kind.HTTP)
    headers = script(Scope.INGEST, "shop")
    event = {"event_id": "1", "event_type": "a.b", "timestamp": "2026-01-01T00:00:00Z", "data": {}}
    client = browser()
    sent = client.post("/api/events?source=shop", event, "application/json", headers=headers)
    assert sent.status_code == 202, sent.content
    refused = client.post("/api/events", event, "application/json", headers=headers)
    assert refused.status_code == 403
    assert "?source=shop" in refused.json()["detail"]


def test_a_token_for_one_source_pauses_it_and_nothing_else():
    source("payments"), source("orders")
    headers = script(Scope.OPERATE, "payments")
    client = browser()
    assert client.post("/api/sources/payments/pause", headers=headers).status_code == 200
    assert client.post("/api/sources/orders/pause", headers=headers).status_code == 403
    about_all = client.post("/api/handlers/x/pause", headers=headers)
    assert about_all.status_code == 403
    assert "limited to the sources payments" in about_all.json()["detail"]
    assert client.get("/api/sources", headers=headers).status_code == 200


def test_an_administrator_gives_roles_in_the_admin_and_each_is_noted():
    client = browser(person(Role.ADMINISTRATOR))
    user = person(None, "ann")
    page = client.get(f"/admin/auth/user/{user.pk}/change/")
    assert page.status_code == 200
    assert "operator: also retries, discards, pauses" in page.content.decode()
    joined = user.date_joined
    form = {
        "username": "ann", "is_active": "on", "role": "operator",
        "date_joined_0": f"{joined:%Y-%m-%d}", "date_joined_1": f"{joined:%H:%M:%S}",
        "grants-TOTAL_FORMS": "1", "grants-INITIAL_FORMS": "0",
        "identities-TOTAL_FORMS": "0", "identities-INITIAL_FORMS": "0",
        "grants-0-role": "editor", "grants-0-source": "payments", "grants-0-team": "",
    }  # fmt: skip
    saved = client.post(f"/admin/auth/user/{user.pk}/change/", form)
    assert saved.status_code == 302, saved.content.decode()
    ann = User.objects.get(username="ann")
    assert role_of(ann) == Role.OPERATOR
    assert may(ann, Role.EDITOR, source="payments")
    actions = list(AuditEntry.objects.filter(target="user ann").values_list("action", flat=True))
    assert "give role" in actions
    assert "grant" in actions


def test_an_editor_cannot_give_roles():
    client = browser(person(Role.EDITOR))
    user = person(None, "ann")
    assert client.get("/admin/").status_code == 200
    assert client.get(f"/admin/auth/user/{user.pk}/change/").status_code == 403


def test_what_a_person_may_not_do_is_refused_in_words_on_a_page_and_in_place():
    client = browser(person(Role.VIEWER))
    words = (
        "To retry, discard, pause or replay here you need the role “operator”. Ask an administrator for it."
    )
    page = client.post("/dead-letters/discard/")
    assert page.status_code == 403
    assert words in page.content.decode()
    assert "<h1>" in page.content.decode()
    in_place = client.post("/dead-letters/discard/", headers={"HX-Request": "true"})
    assert (in_place.status_code, in_place.content.decode()) == (403, words)
