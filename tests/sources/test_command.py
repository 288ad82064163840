"""`manage.py source`: for scripts."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from eventhub.access.models import AuditEntry
from eventhub.brokers.config import read_config
from eventhub.brokers.models import Source

pytestmark = pytest.mark.django_db


def source(*arguments: str) -> str:
    out = io.StringIO()
    call_command("source", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_a_source_is_added_listed_tested_and_previewed(stream, write):
    write(stream, b'{"event_type": "order.placed", "event_id": "e-1"}', b'{"kind": "x"}')
    config = json.dumps({"streams": [stream]})
    assert "shop is saved" in source("add", "shop", "--kind", "redis", "--config", config)
    assert AuditEntry.objects.get().actor == "eventhub"
    assert "no worker" in source("list")
    assert "The broker answered in" in source("test", "shop")
    said = source("preview", "shop")
    assert "order.placed e-1" in said
    assert "neither event_type" in said
    lines = [json.loads(line) for line in source("preview", "shop", "--json").splitlines()]
    assert [line["verdict"] for line in lines] == ["letter", "event"]
    mapped = source("preview", "shop", "--count", "1", "--mapping", '{"event_type": "body.kind"}')
    assert f" event   x redis:shop/{stream}/" in mapped


def test_a_config_with_its_secrets_comes_from_a_file(tmp_path):
    config = {"streams": ["a"], "url": "redis://:vErY-pRiVaTe@127.0.0.1:1/0"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    said = source("add", "far", "--kind", "redis", "--config", f"@{tmp_path / 'config.json'}", "--untested")
    assert "vErY-pRiVaTe" not in said
    assert read_config(Source.objects.get()).password == "vErY-pRiVaTe"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "a b", "--kind", "redis"), "name: It should be"),
        (("add", "x", "--kind", "redis"), "config.streams: It is needed"),
        (("add", "x", "--kind", "redis", "--config", "{"), "--config should be a JSON object"),
        (("add", "x", "--kind", "redis", "--config", "@/nowhere.json"), "nowhere.json"),
        (
            ("add", "x", "--kind", "redis", "--config", '{"streams": ["a"], "url": "redis://127.0.0.1:1"}'),
            "Not saved: refused",
        ),
        (("test", "nobody"), "There is no source 'nobody'. There are: none."),
    ],
)
def test_what_is_wrong_is_said(arguments, words):
    with pytest.raises(CommandError, match=words.replace("(", r"\(")):
        source(*arguments)
    assert not Source.objects.exists()


def test_what_each_broker_needs_is_told():
    said = source("kinds", "kafka")
    assert "bootstrap_servers (needed): one or more brokers" in said
    assert "for example: {" in said
