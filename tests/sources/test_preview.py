"""Real messages as they would be read, and the mapping while it is edited."""

import json
import re

import pytest
import redis
from django.conf import settings

from dlq.models import DeadLetter
from eventhub.events.models import Event
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion, ValidationMode
from tests.sources.conftest import filled

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
ADD = "/sources/add/redis/"
NATIVE = b'{"event_type": "order.placed", "event_id": "e-1", "data": {"total": 12.50}}'
FOREIGN = b'{"kind": "order-paid", "no": 7, "header": {"message-id": "m-7"}}'


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def verdicts(page: str) -> list[str]:
    rows = re.findall(r'<details class="reading".*?</summary>', page, re.S)
    return [re.search(r"(dead letter|event)", text_of(row))[1] for row in rows]


def value_of(page: str, field: str) -> str:
    return re.search(rf'id="value-mapping-{field}"[^>]*>(.*?)</div>', page, re.S)[1]


def sample_of(page: str) -> str:
    return re.search(r'name="sample" value="([^"]*)"', page)[1]


@pytest.fixture
def ask(staff, stream):
    """Presses a button of the form about the stream, with more answers."""

    def press(do: str, **answers: str) -> str:
        sent = filled(do=do, **{"config-streams": stream}, **answers)
        response = staff.post(ADD, sent, headers=HTMX)
        assert response.status_code == 200
        return response.content.decode()

    return press


def test_the_ten_newest_messages_are_shown_and_none_is_taken(ask, stream, write):
    write(stream, *(b'{"event_type": "order.placed", "data": %d}' % n for n in range(15)))
    page = ask("peek")
    assert verdicts(page) == ["event"] * 10
    assert "10 messages, 10 events" in text_of(page)
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        assert client.xinfo_groups(stream) == []
        assert client.xlen(stream) == 15
    assert not Event.objects.exists()


def test_what_would_be_a_dead_letter_says_why(ask, stream, write):
    write(stream, NATIVE, b"\xff\xfe", b"[]", b'{"event_type": "a"}, {', b"")
    page = ask("peek")
    assert verdicts(page) == ["dead letter"] * 4 + ["event"]
    for words in ("not UTF-8", "4 of 5 would become dead letters", "The body is empty"):
        assert words in text_of(page)
    assert not DeadLetter.objects.exists()


def test_a_message_of_several_events_shows_each(ask, stream, write):
    write(stream, b'[{"event_type": "a"}, {"event_type": "b"}, {"no": 1}]')
    page = ask("peek")
    assert sorted(verdicts(page)) == ["dead letter", "event", "event"]


def test_what_breaks_its_schema_is_shown_as_its_type_would_have_it(ask, stream, write):
    kind = EventType.objects.create(name="order.placed", validation=ValidationMode.ENFORCE)
    schema = {"type": "object", "required": ["id"]}
    SchemaVersion.objects.create(event_type=kind, version="1", schema=schema, status=SchemaStatus.ACTIVE)
    write(stream, b'{"event_type": "order.placed", "event_version": "1", "data": {}}')
    assert verdicts(ask("peek")) == ["dead letter"]
    EventType.objects.update(validation=ValidationMode.WARN)
    page = ask("peek")
    assert verdicts(page) == ["event"]
    assert "It breaks the schema of its type" in text_of(page)


def test_another_services_dead_letters_are_read_as_such(ask, stream, write):
    write(stream, NATIVE, **{"dlq-error-message": "no stock left"})
    page = ask("peek", role="dead_letters")
    assert verdicts(page) == ["dead letter"]
    assert "no stock left" in text_of(page)
    assert "order" in text_of(page)


def test_a_stream_without_messages_says_so(ask):
    assert "There is no message there yet" in text_of(ask("peek"))


def test_a_broker_that_cannot_be_reached_says_why(ask):
    page = ask("peek", **{"config-server": "other", "config-url": "redis://127.0.0.1:1/0"})
    assert "refused" in text_of(page)


def test_an_incomplete_form_says_what_is_missing_before_it_asks(staff):
    page = staff.post(ADD, filled(do="peek", **{"config-streams": ""}), headers=HTMX).content.decode()
    assert "First, what is marked in the form" in text_of(page)
    assert "Streams" in text_of(page)


def test_the_mapping_is_applied_while_it_is_written_to_the_messages_seen_first(ask, stream, write):
    write(stream, FOREIGN, FOREIGN)
    page = ask("peek")
    assert verdicts(page) == ["dead letter"] * 2
    assert "press Suggest from sample" in text_of(page)
    sample = sample_of(page)
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.delete(stream)  # the broker is not asked again
    answers = {
        "mapping-event_type": "body.kind",
        "mapping-event_id": 'body.header."message-id"',
        "sample": sample,
    }
    page = ask("preview", **answers)
    assert verdicts(page) == ["event"] * 2
    assert re.search(
        r'id="value-mapping-event_type" hx-swap-oob="true"><code class="value">&quot;order-paid', page
    )
    assert "m-7" in page


def test_what_is_wrong_in_the_mapping_is_said_in_its_place_and_the_rest_goes_on(ask, stream, write):
    write(stream, FOREIGN)
    sample = sample_of(ask("peek"))
    answers = {
        "mapping-event_type": "body.kind",
        "mapping-stream": "body.[x",
        "mapping-data": "body.nothing",
        "mapping-event_version": "length(body.no)",
    }
    page = ask("preview", sample=sample, **answers)
    assert "is not a JMESPath expression" in re.search(r'id="error-mapping-stream"[^>]*>([^<]*)<', page)[1]
    assert "nothing found" in value_of(page, "data")
    assert "value-error" in value_of(page, "event_version")
    assert verdicts(page) == ["dead letter"]
    assert "event_version" in text_of(page)


def test_values_are_those_of_the_chosen_message(ask, stream, write):
    write(stream, b'{"kind": "first"}', b'{"kind": "second"}', b"no JSON")
    sample = sample_of(ask("peek"))
    mapping = {"mapping-event_type": "body.kind", "sample": sample}
    assert "&quot;second&quot;" in ask("preview", **mapping)  # the newest that holds JSON
    assert "&quot;first&quot;" in ask("preview", chosen="3", **mapping)


def test_a_mapping_is_suggested_from_the_sample_with_its_reasons(ask, stream, write):
    write(stream, *(b'{"kind": "order-paid", "header": {"message-id": "m-%d"}}' % n for n in range(5)))
    sample = sample_of(ask("peek"))
    page = ask("suggest", sample=sample)
    assert 'value="body.kind"' in page
    assert "5 of 5 messages have it" in text_of(page)
    assert verdicts(page) == ["event"] * 5


def test_where_nothing_can_be_suggested_it_is_said(ask, stream, write):
    write(stream, NATIVE)
    page = ask("suggest", sample=sample_of(ask("peek")))
    assert "they need no mapping" in text_of(page)


def test_a_message_can_be_pasted(staff):
    sent = {"name": "web", "role": "events", "do": "paste", "pasted": NATIVE.decode()}
    page = staff.post("/sources/add/http/", sent, headers=HTMX).content.decode()
    assert verdicts(page) == ["event"]
    assert sample_of(page)
    page = staff.post("/sources/add/http/", sent | {"pasted": "[}"}, headers=HTMX).content.decode()
    assert "Whoever sends it is told so" in text_of(page)


def test_a_sample_is_nobody_elses(ask, stream, write, client, django_user_model):
    write(stream, NATIVE)
    sample = sample_of(ask("peek"))
    assert verdicts(ask("preview", sample=sample)) == ["event"]
    client.force_login(django_user_model.objects.create_superuser("eve"))
    answers = filled(do="preview", sample=sample, **{"config-streams": stream})
    assert verdicts(client.post(ADD, answers, headers=HTMX).content.decode()) == []


def test_large_messages_are_left_out_and_that_is_said(ask, stream, write):
    write(stream, json.dumps({"event_type": "a", "data": "x" * 600_000}).encode(), NATIVE)
    page = ask("peek")
    assert verdicts(page) == ["event"]
    assert "1 more is too large" in text_of(page)


def test_messages_cannot_break_out_of_the_page(ask, stream, write):
    write(stream, b'{"event_type": "<script>x</script>", "data": "</script><b>"}', b"<img src=x>")
    page = ask("peek")
    assert "<script>x" not in page
    assert "<img src=x" not in page
