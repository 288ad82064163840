import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from eventhub.access.models import AuditEntry
from eventhub.brokers.models import Kind, Source

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def test_sources_are_added_and_changed_on_their_own_pages(admin):
    source = Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["orders"]})
    assert admin.get(reverse("admin:brokers_source_add")).url == reverse("source-choose")
    change = reverse("admin:brokers_source_change", args=[source.pk])
    assert admin.get(change).url == reverse("source-edit", args=["shop"])
    assert "shop" in admin.get(reverse("admin:brokers_source_changelist")).content.decode()


def test_who_may_only_look_is_led_to_the_sources_page(client):
    source = Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["orders"]})
    viewer = User.objects.create_user("vic", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_source"))
    client.force_login(viewer)
    change = reverse("admin:brokers_source_change", args=[source.pk])
    assert client.get(change).url == reverse("source", args=["shop"])
    stranger = User.objects.create_user("sam", is_staff=True)
    client.force_login(stranger)
    assert client.get(change).status_code == 403


def test_chosen_sources_are_tested_from_the_list(admin):
    good = Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["orders"]})
    bad = Source.objects.create(
        name="far", kind=Kind.REDIS, config={"streams": ["x"], "url": "redis://127.0.0.1:1/0"}
    )
    web = Source.objects.create(name="web", kind=Kind.HTTP)
    page = admin.post(
        reverse("admin:brokers_source_changelist"),
        {"action": "test_connections", "_selected_action": [good.pk, bad.pk, web.pk]},
        follow=True,
    )
    said = {
        str(message).split(":")[0]: (message.level_tag, str(message)) for message in page.context["messages"]
    }
    assert said["shop"][0] == "success"
    assert said["far"] == ("error", said["far"][1])
    assert "Connection refused" in said["far"][1]
    assert "nothing to connect to" in said["web"][1]


def test_deleting_is_noted(admin):
    for name in ("one", "two"):
        Source.objects.create(name=name, kind=Kind.HTTP)
    one = Source.objects.get(name="one")
    admin.post(reverse("admin:brokers_source_delete", args=[one.pk]), {"post": "yes"})
    two = Source.objects.get(name="two")
    admin.post(
        reverse("admin:brokers_source_changelist"),
        {"action": "delete_selected", "_selected_action": [two.pk], "post": "yes"},
    )
    assert not Source.objects.exists()
    assert {(e.action, e.target) for e in AuditEntry.objects.all()} == {
        ("delete", "source one"),
        ("delete", "source two"),
    }
