"""What the long runs found, kept so that it stays found."""

from datetime import UTC, datetime

import pytest

from eventhub.access.models import Scope
from eventhub.events.decoding import decode
from eventhub.events.envelope import Undecodable
from eventhub.events.message import Message
from tests.access.people import browser, script

pytestmark = pytest.mark.django_db


def status(method: str, address: str, body: str = "") -> int:
    more = {"data": body, "content_type": "application/json"} if body else {}
    answer = browser().generic(method, address, headers=script(Scope.CONFIGURE), **more)
    if answer.streaming:
        b"".join(answer)
    return answer.status_code


@pytest.mark.parametrize(
    ("method", "address", "body", "expected"),
    [
        ("GET", "/api/audit.jsonl?until=5545-08-15T20:42:42%2B19:04", "", 200),
        ("GET", "/api/audit.csv?until=0001-01-01T00:00:00%2B19:04", "", 422),
        ("GET", "/api/dead-letters.csv?status=open&reason=undecodable&since=2000-01-01T00:00:00Z", "", 200),
        ("GET", "/api/dead-letters.jsonl?status=open&since=2000-01-01T00:00:00Z", "", 200),
        ("POST", "/api/sources?untested=true", '{"name": "x", "kind": "handlers", "config": {}}', 422),
        ("GET", "/api/sources/%00", "", 422),
        ("POST", "/api/sources/%00/pause", "", 422),
        ("POST", "/api/retry-jobs", '{"letters": [0], "request_id": "\\u0000"}', 422),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_it_is_answered(method: str, address: str, body: str, expected: int) -> None:
    assert status(method, address, body) == expected


def test_base64_with_a_letter_that_is_no_ascii_is_refused() -> None:
    body = '{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data_base64": "\u0080"}'.encode()
    with pytest.raises(Undecodable, match="Base64"):
        decode(Message(body, "t", "1", "k", {}, timestamp=datetime.now(UTC)))
