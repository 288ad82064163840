"""Handlers over the API and at the terminal."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from eventhub.access.models import AuditEntry, Scope
from eventhub.access.tokens import create_token
from eventhub.handlers import PermanentError
from eventhub.handlers.models import Handler, Replay
from tests.handlers.conftest import placed


@pytest.fixture
def ship(hub, handles):
    hub.take(placed(0))

    @handles("order.placed")
    def ship(event):
        if event.event_id == "evt-2":
            raise PermanentError("no such address")

    hub.take(placed(1), placed(2))
    hub.run("ship")
    return hub


@pytest.fixture
def ask(client, hub):
    def with_scope(scope):
        token = create_token("ci", scope)
        headers = {"Authorization": f"Bearer {token}"}

        def call(method, path, body=None):
            answer = getattr(client, method)(
                f"/api/{path}", body or {}, content_type="application/json", headers=headers
            )
            return answer.status_code, answer.json()

        return call

    return with_scope


def test_a_script_sees_how_handlers_stand_and_what_they_did(ask, ship):
    read = ask(Scope.READ)
    status, found = read("get", "handlers")
    assert status == 200
    (one,) = found["items"]
    assert (one["name"], one["succeeded"], one["failed"], one["waiting"]["due"]) == ("ship", 1, 1, 0)
    assert read("get", "handlers/ship")[1]["patterns"] == ["order.placed"]
    status, attempts = read("get", "handlers/ship/attempts?failed=true")
    assert [one["event_id"] for one in attempts["items"]] == ["evt-2"]
    assert read("get", "handlers/nobody")[0] == 404


def test_a_script_may_pause_only_with_a_token_to_operate(ask, ship):
    status, answer = ask(Scope.READ)("post", "handlers/ship/pause")
    assert status == 403
    assert "operate" in answer["detail"]
    operate = ask(Scope.OPERATE)
    assert operate("post", "handlers/ship/pause")[1]["state"] == "paused"
    assert operate("post", "handlers/ship/resume")[1]["paused"] is False
    assert operate("post", "handlers/ship/try-again")[0] == 409
    assert operate("post", "handlers/nobody/pause")[0] == 404
    assert set(AuditEntry.objects.filter(target="handler ship").values_list("actor", flat=True)) == {
        "token ci"
    }


def test_a_replay_over_the_api_has_a_dry_run_too(ask, ship):
    operate = ask(Scope.OPERATE)
    status, answer = operate("post", "handlers/ship/replay", {"dry_run": True, "which": "dead"})
    assert status == 200
    assert (answer["plan"]["total"], answer["plan"]["delivers"]) == (3, 2)
    assert not Replay.objects.exists()
    status, answer = operate(
        "post", "handlers/ship/replay", {"which": "dead", "until": "2026-11-25T00:00:00"}
    )
    assert answer["replay"]["state"] == "running"
    pk = answer["replay"]["id"]
    assert operate("get", f"handler-replays/{pk}")[1]["handler"] == "ship"
    assert operate("post", f"handler-replays/{pk}/cancel")[1]["state"] == "cancelled"
    assert operate("post", "handlers/ship/replay", {"event_types": ["order.paid"]})[0] == 422
    assert operate("get", "handler-replays/999")[0] == 404


def manage(*arguments):
    out = StringIO()
    call_command("handlers", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_lists_pauses_and_replays(ship):
    assert "ship\tfailing" in manage("list") or "ship\trunning" in manage("list")
    assert manage("pause", "ship") == "ship: paused.\n"
    assert Handler.objects.get(name="ship").paused
    manage("resume", "ship")
    assert manage("disable", "ship") == "ship: off.\n"
    manage("enable", "ship")
    told = manage("replay", "ship", "--dry-run", "--which", "all", "--since", "2026-11-24T10:00:00")
    assert "3 events fit: 1 never delivered to it, 1 processed, 1 dead letters" in told
    assert "delivers 3" in told
    assert "evt-1\torder.placed\tdone" in told
    assert "has begun" in manage("replay", "ship", "--type", "order.placed")
    assert "cancelled" in manage("cancel", str(Replay.objects.get().pk))


def test_the_command_says_what_it_was_asked_wrongly(ship):
    for arguments, said in [
        (("pause", "nobody"), "There are: ship"),
        (("try-again", "ship"), "not stopped"),
        (("replay", "ship", "--since", "noon"), "write a time"),
        (("replay", "ship", "--type", "order.paid"), "does not ask for"),
        (("cancel", "77"), "no replay 77"),
    ]:
        with pytest.raises(CommandError, match=said):
            manage(*arguments)
