"""The pages and the API of sagas."""

import pytest
from django.test import Client

from eventhub.access.models import AuditEntry, Scope
from eventhub.access.tokens import create_token
from eventhub.handlers import PermanentError
from eventhub.sagas import Step, Together, saga
from eventhub.sagas.models import Instance
from eventhub.sagas.starting import start
from tests.sagas.conftest import run

pytestmark = pytest.mark.django_db(transaction=True)
HTMX = {"HX-Request": "true"}


@pytest.fixture
def parked(did):
    @saga("order")
    class Order:
        steps = (
            Step("reserve", did.step("reserved"), compensate=did.step("released")),
            Together(
                Step("pay", did.step("paid", PermanentError("card <expired>"), times=1), parks=True),
                Step("pack", did.step("packed"), compensate=did.step("unpacked")),
            ),
        )

    start("order", "o-1", {"total": 12})
    run()
    return Instance.objects.get()


@pytest.fixture
def browser(django_user_model):
    client = Client()
    client.force_login(django_user_model.objects.create_user("olga", is_staff=True))
    return client


def test_the_list_shows_what_waits_for_a_person(browser, parked):
    page = browser.get("/sagas/?state=parked").content.decode()
    assert "o-1" in page
    assert "card &lt;expired&gt;" in page
    assert "No instance fits" in browser.get("/sagas/?state=completed").content.decode()
    assert "No instance fits" in browser.get("/sagas/?key=o-2").content.decode()


def test_without_sagas_the_list_says_how_to_write_one(browser, did):
    assert "docs/sagas.md" in browser.get("/sagas/").content.decode()
    assert browser.get("/sagas/99/").status_code == 404


def test_an_instance_shows_its_steps_and_what_can_be_done(browser, parked):
    page = browser.get(f"/sagas/{parked.pk}/").content.decode()
    assert "at-failed" in page
    assert page.count("Retry</button>") == 1
    assert "Compensate now" in page
    part = browser.post(f"/sagas/{parked.pk}/retry", {"step": "pay"}, headers=HTMX).content.decode()
    assert "<html" not in part
    run()
    done = browser.get(f"/sagas/{parked.pk}/", headers=HTMX).content.decode()
    assert "completed" in done
    assert "Compensate now" not in done
    assert AuditEntry.objects.get().detail == {"step": "pay"}


def test_compensating_by_hand_undoes_everything(browser, parked, did):
    assert browser.post(f"/sagas/{parked.pk}/compensate").status_code == 302
    run()
    assert did.all() == ["reserved", "packed", "unpacked", "released"]
    again = browser.post(f"/sagas/{parked.pk}/skip", {"step": "pay"}, headers=HTMX)
    assert "nothing can be changed" in again.headers["HX-Trigger"]


def test_who_may_only_watch_changes_nothing(django_user_model, parked):
    client = Client()
    client.force_login(django_user_model.objects.create_user("vera"))
    assert client.post(f"/sagas/{parked.pk}/compensate").status_code == 403
    assert "Compensate now" not in client.get(f"/sagas/{parked.pk}/").content.decode()


def test_the_api_lists_starts_and_steps_in(parked):
    secret = create_token("script", Scope.OPERATE)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    reading = create_token("reader", Scope.READ)
    reader = Client(headers={"Authorization": f"Bearer {reading}"})
    [one] = reader.get("/api/sagas?state=parked").json()["items"]
    assert (one["key"], one["groups"][1][0]["at"]) == ("o-1", "failed")
    assert reader.get(f"/api/sagas/{parked.pk}").json()["history"][0]["what"] == "waits for a person"
    assert reader.get("/api/sagas/99").status_code == 404
    change = client.post(f"/api/sagas/{parked.pk}/skip", {"step": "reserve"}, content_type="application/json")
    assert change.status_code == 409
    change = client.post(f"/api/sagas/{parked.pk}/skip", {"step": "pay"}, content_type="application/json")
    assert change.json()["state"] == "running"
    begun = client.post("/api/sagas/order", {"key": "o-2"}, content_type="application/json")
    assert (begun.status_code, begun.json()["key"]) == (200, "o-2")
    assert client.post("/api/sagas/none", {"key": "o-2"}, content_type="application/json").status_code == 404
