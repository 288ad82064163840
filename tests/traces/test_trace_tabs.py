"""The tabs of a trace, its exports, the comparison with another one, and an event beside the one before it."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.traces.assemble import assemble
from eventhub.traces.comparing import compare
from eventhub.traces.exporting import mermaid, otlp
from eventhub.traces.previous import changes_between
from tests.traces.building import START, event, order, receipt, store

NOW = START + timedelta(days=1)


def trace_of(events):
    trace = assemble(events[0].correlation_id, events, now=NOW)
    assert trace is not None
    return trace


def delivered(number):
    name = f"order-{number}"
    return [
        *order(number),
        event(
            f"{name}-mailed",
            "email.sent",
            2.5,
            causation_id=f"{name}-paid",
            source="email",
            correlation_id=name,
        ),
    ]


def test_two_traces_part_where_one_takes_another_way():
    comparison = compare(trace_of(delivered(1)), trace_of(order(2, fails=True)))
    parted = comparison.divergence
    assert parted is not None
    assert (parted.after, parted.left.event_type, parted.right.event_type) == (
        "order.placed", "payment.captured", "payment.declined",
    )  # fmt: skip
    assert comparison.rows[0].same


def test_a_trace_that_ends_early_parts_where_nothing_came():
    parted = compare(trace_of(order(1)), trace_of(order(2)[:2])).divergence
    assert parted is not None
    assert (parted.after, parted.left.event_type, parted.right) == ("payment.captured", "shipment.sent", None)


def test_branches_in_another_order_have_not_parted():
    one, other = delivered(1), delivered(2)
    swapped = [*other[:2], *(event(e.event_id, e.event_type, seconds, causation_id=e.causation_id, source=e.source,
               correlation_id=e.correlation_id) for e, seconds in ((other[3], 2), (other[2], 2.5)))]  # fmt: skip
    assert compare(trace_of(one), trace_of(swapped)).divergence is None


_kinds = st.lists(
    st.sampled_from(["order.placed", "payment.captured", "email.sent"]), min_size=1, max_size=12
)


@given(_kinds, _kinds)
def test_a_comparison_loses_and_invents_no_event(left, right):
    def made(kinds, name):
        return trace_of([event(f"{name}{n}", kind, n, correlation_id=name) for n, kind in enumerate(kinds)])

    ours, theirs = made(left, "a"), made(right, "b")
    rows = compare(ours, theirs).rows
    assert [row.left.event_id for row in rows if row.left] == [f"a{n}" for n in range(len(left))]
    assert [row.right.event_id for row in rows if row.right] == [f"b{n}" for n in range(len(right))]
    assert all(row.left.event_type == row.right.event_type for row in rows if row.left and row.right)
    assert compare(ours, ours).divergence is None


def test_otlp_holds_each_event_and_delivery_as_a_span_below_its_cause():
    trace = trace_of([*order(1), receipt("order-1-paid", "billing", ok=False, correlation_id="order-1")])
    request = json.loads(json.dumps(otlp(trace)))
    spans = {span["name"]: span for group in request["resourceSpans"] for scope in group["scopeSpans"]
             for span in scope["spans"]}  # fmt: skip
    assert set(spans) == {"order.placed", "payment.captured", "shipment.sent", "process payment.captured"}
    assert "parentSpanId" not in spans["order.placed"]
    assert spans["payment.captured"]["parentSpanId"] == spans["order.placed"]["spanId"]
    assert spans["process payment.captured"]["parentSpanId"] == spans["payment.captured"]["spanId"]
    assert spans["process payment.captured"]["status"]["code"] == 2
    assert all(len(span["traceId"]) == 32 and len(span["spanId"]) == 16 for span in spans.values())
    took = int(spans["payment.captured"]["endTimeUnixNano"]) - int(
        spans["payment.captured"]["startTimeUnixNano"]
    )
    assert took == 1_000_000_000


def test_a_trace_id_of_opentelemetry_stays_itself():
    trace = trace_of([event("a", correlation_id="4bf92f3577b34da6a3ce929d0e0e4736")])
    assert (
        otlp(trace)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]
        == "4bf92f3577b34da6a3ce929d0e0e4736"
    )


def test_mermaid_draws_an_arrow_an_event():
    lines = mermaid(trace_of(order(1))).splitlines()
    assert lines[0] == "sequenceDiagram"
    assert sum("->>" in line for line in lines) == 3
    assert any("payment.captured" in line and line.strip().startswith("s0->>s1") for line in lines)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(_json, _json)
def test_payloads_differ_exactly_when_a_change_is_told(before, after):
    def same(a, b):
        return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)

    assert (changes_between(before, after) == []) == same(before, after)


def test_changes_are_told_by_path():
    changes = changes_between({"a": 1, "items": [{"sku": "x"}]}, {"items": [{"sku": "y"}], "b": True})
    assert [(c.path, c.kind, c.before, c.after) for c in changes] == [
        ("a", "removed", "1", ""), ("b", "added", "", "true"), ("items[0].sku", "changed", '"x"', '"y"'),
    ]  # fmt: skip


@pytest.fixture
def two_orders(db):
    store(*delivered(1), *order(2, fails=True))


@pytest.mark.parametrize("tab", ["", "sequence", "flow", "events", "compare"])
def test_every_tab_is_drawn(browser, two_orders, tab):
    page = browser.get("/traces/order-1/", {"tab": tab})
    assert page.status_code == 200
    assert b"shipment" in page.content


def test_the_graph_of_a_trace_holds_its_types(browser, two_orders):
    graph = browser.get("/traces/order-1/", {"graph": "1"}).json()
    assert {node["id"] for node in graph["nodes"]} == {
        "order.placed",
        "payment.captured",
        "shipment.sent",
        "email.sent",
    }
    assert ("payment.captured", "email.sent") in {(edge["source"], edge["target"]) for edge in graph["edges"]}


def test_the_comparison_page_marks_where_they_part(browser, two_orders):
    page = browser.get("/traces/order-1/", {"tab": "compare", "with": "order-2"}).content.decode()
    assert "They part after <b>order.placed</b>" in page
    assert "No trace has" in browser.get("/traces/order-1/", {"tab": "compare", "with": "x"}).content.decode()


@pytest.mark.parametrize(
    ("form", "begins"), [("json", b"["), ("otlp", b"{"), ("mermaid", b"sequenceDiagram")]
)
def test_a_trace_is_downloaded(browser, two_orders, form, begins):
    answer = browser.get("/traces/order-1/", {"format": form})
    assert answer.content.startswith(begins)
    assert answer["Content-Disposition"].startswith('attachment; filename="trace-order-1.')
    if form == "json":
        assert len(json.loads(answer.content)) == 4


def test_clocks_that_disagree_are_drawn_corrected_and_said(browser, db):
    store(event("a", seconds=10), event("b", "payment.captured", 9, source="payment", causation_id="a"))
    page = browser.get("/traces/c-1/").content.decode()
    assert "payment: 1 s later" in page
    assert "Times as the producers said" in browser.get("/traces/c-1/", {"clock": "raw"}).content.decode()


def test_the_panel_offers_commands_and_the_difference_to_the_event_before(browser, two_orders):
    panel = browser.get("/traces/order-1/", {"event": "order-1-paid"}).content.decode()
    assert "Copy as curl" in panel
    assert "Copy as kcat" in panel
    assert "Changed since the previous of its stream" in panel


def test_a_trace_that_grew_is_drawn_again_in_place(browser, two_orders):
    news = browser.get("/traces/order-1/", {"have": "3"}, headers={"hx-request": "true", "hx-target": "news"})
    assert b"1 new event" in news.content
    main = browser.get(
        "/traces/order-1/", headers={"hx-request": "true", "hx-target": "trace-main"}
    ).content.decode()
    assert "<html" not in main
    assert 'id="news"' in main
