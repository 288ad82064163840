"""``make bench`` runs all benchmarks, ``make bench ONLY=ingest-redis`` one.

With ``--write`` it writes the table of what was run to ``docs/performance.md``; with ``--check`` it fails when a ratio
is worse than the committed one. ``--table`` runs nothing and prints what is on record.
"""

import subprocess
import sys

from benchmarks import (
    dlq_intake,
    dlq_list,
    ingest_kafka,
    ingest_memory,
    ingest_rabbitmq,
    ingest_redis,
    ingest_sqs,
    live,
    metrics_growth,
    outbox_relay,
    projections,
    record,
    retry_kafka,
    retry_rabbitmq,
    review_hour,
    review_ingest,
    schema_validation,
    streams,
    table,
    trace_search,
    zipkin,
)

BENCHMARKS = {
    "ingest-redis": ingest_redis.run,
    "ingest-memory": ingest_memory.run,
    "ingest-kafka": ingest_kafka.run,
    "ingest-kafka-connector": ingest_kafka.run_beside_connector,
    "ingest-kafka-two-workers": ingest_kafka.run_two_workers,
    "ingest-rabbitmq": ingest_rabbitmq.run,
    "ingest-sqs": ingest_sqs.run,
    "dlq-intake": dlq_intake.run,
    "dlq-list": dlq_list.run,
    "retry-kafka": retry_kafka.run,
    "retry-rabbitmq": retry_rabbitmq.run,
    "stream-append": streams.run,
    "projection": projections.run,
    "outbox-relay": outbox_relay.run,
    "eventsourcing-append": streams.run_beside_eventsourcing,
    "eventsourcing-projection": projections.run_beside_eventsourcing,
    "schema-validation": schema_validation.run,
    "trace-search": trace_search.run,
    "zipkin-ingest": zipkin.run,
    "live-latency": live.run_latency,
    "live-fanout": live.run_fanout,
    "metrics-growth": metrics_growth.run,
    "review-hour": review_hour.run,
    "review-ingest": review_ingest.run,
}

# Results that another benchmark's run brings along.
BROUGHT_BY = {
    "trace-by-id": "trace-search",
    "trace-growth": "trace-search",
    "zipkin-trace": "zipkin-ingest",
}


def main(arguments: list[str]) -> int:
    """Run the named benchmarks (all when none is named), each in a process of its own; 1 when one fails."""
    flags = {one for one in arguments if one.startswith("--")}
    names = list(dict.fromkeys(BROUGHT_BY.get(name, name) for name in arguments if name not in flags))
    unknown = (set(names) - BENCHMARKS.keys()) | (flags - {"--write", "--check", "--table"})
    if unknown:
        print(
            f"No benchmark {', '.join(sorted(unknown))}. There are: {', '.join(BENCHMARKS)}.", file=sys.stderr
        )
        return 2
    if "--table" in flags:
        return _conclude(flags, 0)
    if len(names) == 1:
        code = 0 if BENCHMARKS[names[0]]() else 1
        return _conclude(flags, code) if flags else code
    codes = [
        subprocess.run([sys.executable, "-m", "benchmarks", name]).returncode for name in names or BENCHMARKS
    ]
    return _conclude(flags, max(codes))


def _conclude(flags: set[str], code: int) -> int:
    """Print the table; write it and hold it against the committed ratios, as asked."""
    results = table.latest(record.FILE.read_text().splitlines() if record.FILE.exists() else [])
    print(table.page(results).removeprefix(table.HEAD), flush=True)
    worse = table.regressions(results, table.read_ratios()) if "--check" in flags else []
    for line in worse:
        print(f"FAIL  {line}", file=sys.stderr)
    if "--write" in flags:
        table.write(results)
    return 1 if worse else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
