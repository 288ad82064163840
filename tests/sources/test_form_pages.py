"""The pages on which sources are added and changed."""

import json
import re

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from eventhub.access.models import AuditEntry
from eventhub.brokers.config import RedisConfig, read_config
from eventhub.brokers.models import Kind, Role, Source
from tests.sources.conftest import filled

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
ADD = "/sources/add/redis/"
PASSWORD = "vErY-pRiVaTe"
NOBODY = {"config-server": "other", "config-url": "redis://127.0.0.1:1/0"}


def text_of(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def edit(name: str) -> str:
    return reverse("source-edit", args=[name])


def seen(source: Source) -> str:
    return Source.objects.get(pk=source.pk).changed_at.isoformat()


@pytest.fixture
def guarded() -> Source:
    """A source at an address with a password."""
    return Source.objects.create(
        name="guarded",
        kind=Kind.REDIS,
        config={"streams": ["orders"], "url": f"redis://ann:{PASSWORD}@127.0.0.1:1/0"},
    )


def change_of(source: Source, **answers: str) -> dict[str, str]:
    return filled(
        name=source.name,
        seen=seen(source),
        **{"config-server": "other", "config-url": source.config["url"]},
        **answers,
    )


# -- Who may ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/sources/add/", ADD])
def test_only_those_who_may_add_sources_see_the_form(visitor, path):
    assert visitor.get(path).status_code == 403
    assert visitor.post(path, filled()).status_code in (403, 405)


def test_only_those_who_may_change_sources_see_the_form_of_one(visitor, guarded):
    assert visitor.get(edit("guarded")).status_code == 403
    assert visitor.post(edit("guarded"), change_of(guarded, do="test")).status_code == 403


# -- Adding -------------------------------------------------------------------------------------------------------


def test_the_brokers_are_offered_each_with_a_sentence(staff):
    said = text_of(staff.get("/sources/add/"))
    for words in ("Kafka", "Redis Streams", "PostgreSQL outbox", "HTTP API", "shared by workers"):
        assert words in said


@pytest.mark.parametrize("kind", ["handlers", "carrier-pigeon"])
def test_what_is_no_broker_is_not_found(staff, kind):
    assert staff.get(f"/sources/add/{kind}/").status_code == 404


@pytest.mark.parametrize("kind", ["kafka", "redis", "outbox", "http"])
def test_every_form_can_be_opened(staff, kind):
    response = staff.get(f"/sources/add/{kind}/")
    assert response.status_code == 200
    assert "Save" in text_of(response)


def test_a_source_is_added_tested_and_noted(staff):
    response = staff.post(ADD, filled())
    assert response.status_code == 302
    assert response.url == "/sources/shop/"
    source = Source.objects.get()
    assert (source.kind, source.role, source.enabled) == (Kind.REDIS, Role.EVENTS, True)
    assert source.config == {"streams": ["orders"]}
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target) == ("ada", "create", "source shop")


def test_with_htmx_the_browser_is_sent_on(staff):
    response = staff.post(ADD, filled(), headers=HTMX)
    assert response.headers["HX-Redirect"] == "/sources/shop/"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"config-streams": ""}, "It is needed"),
        ({"config-start": "tomorrow"}, "everything there is"),
        ({"name": ""}, "letters, digits, hyphens"),
        ({"name": "add"}, "is the address of a page"),
        ({"name": "Zürich"}, "letters, digits, hyphens"),
        ({"config-server": "other", "config-url": "http://redis"}, "redis://host:6379/0"),
        ({"config-server": "other", "config-url": ""}, "It is needed"),
        ({"mapping-data": "body"}, "every event has a type"),
        ({"mapping-event_type": "body.[x"}, "is not a JMESPath expression"),
        ({"mapping-event_type": "kind"}, "For a field of the body write body.kind"),
        ({"mapping-event_type": "body.kind", "mapping-more": "tenant"}, "an equals sign"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(staff, answers, words):
    response = staff.post(ADD, filled(**answers), headers=HTMX)
    assert response.status_code == 422
    errors = " ".join(re.findall(r'class="field-error"[^>]*>([^<]+)<', response.content.decode()))
    assert words in errors.replace("&#x27;", "'").replace("&quot;", '"')
    assert not Source.objects.exists()


def test_all_that_is_wrong_is_said_at_once(staff):
    response = staff.post(ADD, filled(**{"name": "", "config-streams": "", "config-start": "x"}))
    assert len(re.findall(r'class="field-error"[^>]*>[^<]+<', response.content.decode())) == 3


def test_a_name_is_given_once(staff, guarded):
    response = staff.post(ADD, filled(name="guarded"))
    assert "a source of this name already" in text_of(response)


def test_what_is_not_asked_for_is_not_kept(staff):
    staff.post(ADD, filled(**{"config-url": "redis://elsewhere", "config-password": "x"}))
    source = Source.objects.get()
    assert source.config == {"streams": ["orders"]}
    assert source.secrets == ""


def test_a_mapping_is_saved_with_more_metadata(staff):
    answers = {"mapping-event_type": "body.kind", "mapping-more": 'tenant = headers."x-tenant"\n'}
    staff.post(ADD, filled(**answers))
    assert Source.objects.get().mapping == {
        "event_type": "body.kind",
        "metadata.tenant": 'headers."x-tenant"',
    }


def test_an_http_source_needs_nothing_but_a_name(staff):
    staff.post("/sources/add/http/", {"name": "web", "role": "events", "enabled": "on"})
    assert Source.objects.get().config == {}


# -- Testing ------------------------------------------------------------------------------------------------------


def test_a_connection_is_tested_without_saving_or_a_name(staff):
    response = staff.post(ADD, filled(do="test", name=""), headers=HTMX)
    said = text_of(response)
    assert "it works" in said
    assert "The broker answered in" in said
    assert "orders is not there yet" in said
    assert not Source.objects.exists()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://127.0.0.1:1/0", "refused"),
        ("redis://no-such-host.invalid:6379/0", "unknown host"),
        ("redis://:wrong-password@{own}/0", "not authorised"),
    ],
)
def test_what_is_wrong_with_a_connection_is_said_in_words(staff, settings, url, problem):
    own = settings.REDIS_URL.rpartition("@")[2].removeprefix("redis://").partition("/")[0]
    answers = {"config-server": "other", "config-url": url.format(own=own)}
    response = staff.post(ADD, filled(do="test", **answers), headers=HTMX)
    said = text_of(response)
    assert problem in said
    assert "wrong-password" not in response.content.decode()
    assert len(said) > 150  # with what to do


def test_a_test_of_what_is_incomplete_says_what_is_missing_and_marks_it(staff):
    response = staff.post(ADD, filled(do="test", **{"config-streams": ""}), headers=HTMX)
    assert "Streams" in text_of(response)
    assert re.search(r'id="error-config-streams" hx-swap-oob="true">It is needed', response.content.decode())


def test_saving_tests_first_and_a_source_that_does_not_connect_is_saved_only_when_asked_again(staff):
    response = staff.post(ADD, filled(**NOBODY))
    assert response.status_code == 422
    assert "Not saved: the connection does not work" in text_of(response)
    assert 'value="save-anyway"' in response.content.decode()
    assert not Source.objects.exists()
    staff.post(ADD, filled(do="save-anyway", **NOBODY))
    assert Source.objects.exists()


def test_what_was_tested_a_moment_ago_is_not_tested_again(staff, monkeypatch):
    page = staff.post(ADD, filled(do="test"), headers=HTMX).content.decode()
    proof = re.search(r'name="tested" value="(\w+)"', page)[1]
    monkeypatch.setattr("eventhub.sources.views.try_connection", lambda source: pytest.fail("tested again"))
    assert staff.post(ADD, filled(tested=proof)).status_code == 302


def test_a_proof_of_a_test_is_of_no_use_for_another_connection(staff):
    page = staff.post(ADD, filled(do="test"), headers=HTMX).content.decode()
    proof = re.search(r'name="tested" value="(\w+)"', page)[1]
    assert staff.post(ADD, filled(tested=proof, **NOBODY)).status_code == 422


def test_a_change_that_does_not_touch_the_connection_is_saved_without_a_test(staff, guarded):
    answers = change_of(guarded, **{"mapping-event_type": "body.kind"})
    assert staff.post(edit("guarded"), answers).status_code == 302
    assert Source.objects.get().mapping == {"event_type": "body.kind"}


# -- Changing, and secrets ----------------------------------------------------------------------------------------


def test_the_form_shows_that_a_password_is_set_and_never_what_it_is(staff, guarded):
    page = staff.get(edit("guarded")).content.decode()
    assert "••••••" in page
    assert "redis://ann@127.0.0.1:1/0" in page
    assert PASSWORD not in page


def test_a_password_that_is_not_touched_stays(staff, guarded):
    before = Source.objects.get().secrets
    response = staff.post(edit("guarded"), change_of(guarded, do="save-anyway", **{"config-streams": "a\nb"}))
    assert response.status_code == 302
    source = Source.objects.get()
    assert source.config["streams"] == ["a", "b"]
    assert source.secrets == before
    assert read_config(source, RedisConfig).password == PASSWORD


def test_a_password_is_replaced_and_noted_without_it(staff, guarded):
    staff.post(edit("guarded"), change_of(guarded, do="save-anyway", **{"config-password": "another-one"}))
    assert read_config(Source.objects.get(), RedisConfig).password == "another-one"
    entry = AuditEntry.objects.get()
    assert entry.detail == {"changed": {}, "secrets": ["password"]}
    assert "another-one" not in json.dumps(entry.detail)


def test_a_password_is_removed(staff, guarded):
    staff.post(edit("guarded"), change_of(guarded, do="save-anyway", **{"config-password-remove": "on"}))
    assert Source.objects.get().secrets == ""


def test_a_password_is_not_sent_to_another_address_without_being_entered_again(staff, guarded):
    elsewhere = change_of(guarded) | {"config-url": "redis://ann@elsewhere.invalid:6379/0"}
    for do in ("test", "peek", "save", "save-anyway"):
        page = staff.post(edit("guarded"), elsewhere | {"do": do}, headers=HTMX)
        assert "Enter it again" in page.content.decode(), do
    assert Source.objects.get().config["url"] == "redis://ann@127.0.0.1:1/0"
    entered = elsewhere | {"config-password": PASSWORD, "do": "save-anyway"}
    assert staff.post(edit("guarded"), entered).status_code == 302


def test_secrets_in_settings_and_addresses_stay_while_their_dots_do_and_go_with_them(staff):
    source = Source.objects.create(
        name="k",
        kind=Kind.KAFKA,
        config={
            "bootstrap_servers": "127.0.0.1:1",
            "topics": ["a"],
            "settings": {"client.rack": "a", "ssl.keystore.password": PASSWORD},
        },
    )
    page = staff.get(edit("k")).content.decode()
    assert "ssl.keystore.password = ••••••" in page
    assert PASSWORD not in page
    sent = {
        "name": "k",
        "role": "events",
        "do": "save-anyway",
        "config-bootstrap_servers": "127.0.0.1:1",
        "config-security": "plaintext",
        "config-topics_by": "name",
        "config-topics": "a",
        "config-tombstones": "event",
    }
    kept = {"config-settings": "client.rack = b\nssl.keystore.password = ••••••", "seen": seen(source)}
    assert staff.post(edit("k"), sent | kept).status_code == 302
    saved = Source.objects.get()
    assert saved.config["settings"] == {"client.rack": "b"}
    assert read_config(saved).settings["ssl.keystore.password"] == PASSWORD
    gone = {"config-settings": "client.rack = b", "seen": seen(source)}
    assert staff.post(edit("k"), sent | gone).status_code == 302
    assert Source.objects.get().secrets == ""


def test_two_who_edit_the_same_source_do_not_undo_each_others_change(staff, guarded):
    mine = change_of(guarded, do="save-anyway")
    guarded.config["streams"] = ["changed-by-another"]
    guarded.save()
    response = staff.post(edit("guarded"), mine)
    assert response.status_code == 422
    assert "Someone changed this source" in text_of(response)
    assert Source.objects.get().config["streams"] == ["changed-by-another"]


def test_saving_without_a_change_changes_nothing(staff, guarded):
    before = seen(guarded)
    response = staff.post(edit("guarded"), change_of(guarded), follow=True)
    assert "nothing was changed" in text_of(response)
    assert seen(guarded) == before
    assert not AuditEntry.objects.exists()


def test_lost_secrets_are_told_and_can_be_entered_again(staff, settings, guarded):
    settings.SECRET_KEY = "another"
    staff.force_login(User.objects.get(username="ada"))  # sessions are signed with the old key
    assert "cannot be read with the keys of SECRETS_KEYS" in text_of(staff.get(edit("guarded")))
    answers = change_of(guarded, do="save-anyway", **{"config-password": "entered-again"})
    assert staff.post(edit("guarded"), answers).status_code == 302
    assert read_config(Source.objects.get(), RedisConfig).password == "entered-again"
