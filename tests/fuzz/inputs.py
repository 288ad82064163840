"""What producers, scripts and people send when they mean well, and when they do not."""

import json
from typing import Any

from hypothesis import strategies as st

# Texts that broke something somewhere: NUL, half surrogates, bidi marks, markup, templates, SQL, formulas, paths.
NASTY = (
    "", " ", "\x00", "\x1b[31m", "\ud800", "\U0010ffff", "‮txt.exe", "<script>alert(1)</script>", "{{ 7*7 }}",
    "{% debug %}", "' OR 1=1 --", "=cmd|' /C calc'!A0", "../../etc/passwd", "%00", "NaN", "Infinity", "1e999", "null",
    "9" * 400, "-0", "0x1f", "a" * 5000, "\n\r", "é", "e\u0301", "🙂" * 50, "$.a[*]", "a:b:c", "():", "((((", "*" * 300,
)  # fmt: skip
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=60))
numbers = st.one_of(
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, 2**63 - 1, -(2**63) - 1, 2**64, 10**400]),
    st.floats(allow_nan=False, allow_infinity=False),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(texts, inner, max_size=5)),
    max_leaves=20,
)
MOMENTS = (
    "2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999+14:00",
    "2026-02-30T00:00:00Z", "2026-01-01", "yesterday", 0, -1, 1e18,
)  # fmt: skip
moments = st.one_of(st.sampled_from(MOMENTS), st.datetimes().map(lambda at: at.isoformat()), scalars)


def depth(levels: int, kind: str = "[") -> str:
    """JSON that is nested so deep."""
    return "[" * levels + "]" * levels if kind == "[" else '{"a":' * levels + "1" + "}" * levels


def _wire(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


METADATA = ("source", "correlation_id", "causation_id", "stream", "stream_version", "tenant")
native = st.fixed_dictionaries(
    {"event_type": st.one_of(st.just("order.placed"), texts)},
    optional={
        "event_id": scalars,
        "event_version": scalars,
        "timestamp": moments,
        "data": values,
        "metadata": st.one_of(
            values,
            st.fixed_dictionaries(
                {},
                optional=dict.fromkeys(METADATA, scalars),
            ),
        ),
        "else": values,
    },
)
cloud = st.fixed_dictionaries(
    {"specversion": st.sampled_from(["1.0", "0.3", 1, None]), "id": scalars, "source": texts, "type": texts},
    optional={
        "time": moments,
        "data": values,
        "data_base64": texts,
        "datacontenttype": texts,
        "traceparent": texts,
        "correlationid": scalars,
        "partitionkey": scalars,
    },
)
notification = st.fixed_dictionaries(
    {
        "Type": st.just("Notification"),
        "MessageId": texts,
        "TopicArn": texts,
        "Message": texts,
        "Timestamp": moments,
    },
    optional={"MessageAttributes": values},
)
bridge = st.fixed_dictionaries(
    {"version": texts, "id": texts, "source": texts, "detail-type": texts, "time": moments, "detail": values}
)
deep = st.builds(
    lambda levels, kind: ('{"event_type": "a.b", "data": ' + depth(levels, kind) + "}").encode(),
    st.sampled_from([10, 100, 127, 128, 129, 500, 900, 5_000, 100_000]),
    st.sampled_from("[{"),
)
cut = st.builds(lambda value, at: _wire(value)[:at], native, st.integers(0, 200))
bodies = st.one_of(
    native.map(_wire),
    cloud.map(_wire),
    notification.map(_wire),
    bridge.map(_wire),
    values.map(_wire),
    st.lists(st.one_of(native, cloud), max_size=4).map(_wire),
    cut,
    deep,
    st.binary(max_size=200),
    st.binary(max_size=60).map(lambda tail: b"\x00\x00\x00\x00\x01" + tail),
)
HEADERS = (
    "content-type", "ce_id", "ce_source", "ce_type", "ce_specversion", "ce_time", "ce-id", "ce-type", "ce-source",
    "ce-specversion", "cloudEvents:type", "cloudEvents_id", "traceparent", "correlation-id", "content-encoding",
    "NServiceBus.ConversationId", "x-death", "kafka_dlt-exception-message", "eventhub-replay",
)  # fmt: skip
TYPES = (
    "application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "text/plain;charset=x",
    "application/json; charset=utf-16", "avro/binary",
)  # fmt: skip
header_values = st.one_of(texts, st.sampled_from(TYPES))
headers = st.dictionaries(st.one_of(st.sampled_from(HEADERS), texts), header_values, max_size=8)
TERMS = (
    "type:", "-type:", "service:", "state:dead", "slow", "error", "duration>", "duration<1m", "since:24h", "to:", "but",
    "not", "within", "30s", "order_id:8412", "text:", '"', '"a b"', "from:2026-03-01", "since:", "duration<",
)  # fmt: skip
words = st.one_of(texts, st.sampled_from(TERMS))
lines = st.one_of(st.lists(words, max_size=12).map(" ".join), st.text(max_size=300))
