import msgspec

from monitoring.health import Facts, SourceFacts, judge_health
from monitoring.rollups.reading import Comparison

WELL = Facts(
    sources=[SourceFacts("shop", "running", "ok", "", "/sources/shop/", 0.2, 3, 40.0)],
    dead_letters_open=0,
    dead_letter_groups=0,
    failed=0,
    error_ratio=0.0,
    processing_p95_s=0.1,
    yesterday=Comparison(per_s=40.0, error_ratio=0.0, processing_p95_s=0.1),
    silent_for_s=0.5,
    per_s=40.0,
    dead_letters_href="/dead-letters/",
    failures_href="/traces/?state=failed",
    sources_href="/sources/",
)


def facts(**changed):
    return msgspec.structs.replace(WELL, **changed)


def source(**changed):
    return msgspec.structs.replace(WELL.sources[0], **changed)


def said(wanted):
    return [finding.text for finding in judge_health(wanted).findings]


def test_all_is_well_is_said_with_what_is_up():
    health = judge_health(WELL)
    assert (health.level, health.text) == ("ok", "All is well: 1 source up, nothing waits for you.")


def test_before_the_first_event_nothing_is_judged():
    assert judge_health(facts(silent_for_s=None, sources=[])).level == "unknown"


def test_dead_letters_are_counted_with_their_groups_and_lead_there():
    (finding,) = judge_health(facts(dead_letters_open=1214, dead_letter_groups=2)).findings
    assert (finding.text, finding.href) == ("1,214 dead letters in 2 groups", "/dead-letters/")
    assert said(facts(dead_letters_open=1, dead_letter_groups=1)) == ["1 dead letter"]


def test_a_failing_source_is_named_with_its_error_and_comes_first():
    health = judge_health(
        facts(
            sources=[source(word="failing", level="broken", error="Redis is away.\nTraceback")],
            dead_letters_open=2,
            dead_letter_groups=1,
        )
    )
    assert health.text == "Two things need you:"
    assert health.level == "broken"
    assert [f.text for f in health.findings] == ["shop is failing: Redis is away", "2 dead letters"]


def test_when_no_worker_runs_at_all_it_is_said_once():
    idle = source(word="no worker", level="broken")
    two = [idle, msgspec.structs.replace(idle, name="outbox")]
    assert said(facts(sources=two)) == ["no ingest worker is running"]
    assert said(facts(sources=[idle])) == ["no worker reads shop"]


def test_a_source_that_waits_and_takes_nothing_in_is_stalled():
    assert said(facts(sources=[source(lag_s=90.0, lag_messages=5, rate_per_s=0.0)])) == ["shop is stalled"]


def test_a_source_that_catches_up_is_only_behind():
    assert said(facts(sources=[source(lag_s=200.0)])) == ["shop is 3 min 20 s behind"]


def test_a_paused_source_needs_nobody():
    assert said(facts(sources=[source(word="paused", level="unknown", lag_s=900.0)])) == []


def test_errors_are_told_when_they_are_many_and_more_than_yesterday():
    assert said(facts(error_ratio=0.12, failed=30)) == ["12 % of deliveries fail"]
    assert said(facts(error_ratio=0.12, failed=3)) == []
    assert said(facts(error_ratio=0.12, failed=30, yesterday=Comparison(error_ratio=0.11))) == []


def test_slowness_is_told_against_yesterday():
    slow = Comparison(processing_p95_s=0.25)
    assert said(facts(processing_p95_s=1.0, yesterday=slow)) == ["processing is 4 × slower than yesterday"]
    assert said(facts(processing_p95_s=0.01, yesterday=Comparison(processing_p95_s=0.001))) == []


def test_silence_is_told_where_there_was_traffic_yesterday():
    assert said(facts(per_s=0.0, silent_for_s=300.0)) == ["nothing has arrived for 5 min"]
    assert said(facts(per_s=0.0, silent_for_s=300.0, yesterday=Comparison())) == []


def test_a_stopped_handler_is_named_and_leads_to_its_page():
    (finding,) = judge_health(facts(stopped_handlers=[("ship", "/handlers/ship/")])).findings
    assert (finding.text, finding.href) == ("ship is stopped: everything it gets fails", "/handlers/ship/")
    assert finding.level == "broken"


def test_stuck_instances_are_counted_and_lead_to_their_list():
    (finding,) = judge_health(facts(stuck_processes=[("Orders", 3, "/processes/1/?state=stuck")])).findings
    assert (finding.level, finding.text) == ("broken", "3 instances of Orders are stuck")
    assert finding.href == "/processes/1/?state=stuck"
