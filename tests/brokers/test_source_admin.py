import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from eventhub.access.models import AuditEntry
from eventhub.brokers.models import Kind, Source

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def form(**changed):
    values = {"name": "shop", "kind": "redis", "role": "events", "enabled": "on"}
    return values | {"config": '{"streams": ["orders"]}'} | changed


def test_a_source_is_created_and_noted(admin):
    response = admin.post(reverse("admin:brokers_source_add"), form())
    assert response.status_code == 302, response.context["adminform"].errors
    assert Source.objects.get().config == {"streams": ["orders"]}
    assert AuditEntry.objects.get().target == "source shop"


def test_a_mistake_in_the_config_is_shown_beside_it(admin):
    response = admin.post(reverse("admin:brokers_source_add"), form(config='{"stream": "orders"}'))
    assert "unknown key" in response.context["adminform"].form.errors["config"][0]
    assert not Source.objects.exists()


def test_the_config_is_laid_out_and_what_was_mistyped_stays(admin):
    source = Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["orders"]})
    address = reverse("admin:brokers_source_change", args=[source.pk])
    assert "{\n  &quot;streams&quot;: [" in admin.get(address).content.decode()
    assert "{streams: orders" in admin.post(address, form(config="{streams: orders")).content.decode()


def test_a_source_with_nothing_to_set_is_saved_with_an_empty_config(admin):
    admin.post(reverse("admin:brokers_source_add"), form(name="web", kind="http", config=""))
    assert Source.objects.get().config == {}


def test_the_form_says_what_each_kind_needs_with_an_example(admin):
    page = admin.get(reverse("admin:brokers_source_add")).content.decode()
    assert "a list of stream names" in page
    assert "PostgreSQL outbox" in page


def test_the_connection_test_says_what_happened(admin):
    good = Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["orders"]})
    bad = Source.objects.create(
        name="far", kind=Kind.REDIS, config={"streams": ["x"], "url": "redis://127.0.0.1:1/0"}
    )
    for source, words in ((good, "The broker answered in"), (bad, "far: ")):
        address = reverse("admin:brokers_source_test", args=[source.pk])
        page = admin.post(address, follow=True)
        (message,) = page.context["messages"]
        assert words in str(message)
        assert message.level_tag == ("success" if source is good else "error")
    assert admin.get(reverse("admin:brokers_source_test", args=[good.pk])).status_code == 405


def test_chosen_sources_are_tested_from_the_list(admin):
    source = Source.objects.create(name="web", kind=Kind.HTTP)
    page = admin.post(
        reverse("admin:brokers_source_changelist"),
        {"action": "test_connections", "_selected_action": [source.pk]},
        follow=True,
    )
    assert "nothing to connect to" in str(next(iter(page.context["messages"])))
