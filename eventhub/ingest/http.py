"""Events over HTTP: each is answered for, stored before the answer, and refused with the reason."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from eventhub.access.throttling import over_limit
from eventhub.brokers.adapter import BadConfig
from eventhub.brokers.models import Kind, Source
from eventhub.events import cloudevents, decoding, media
from eventhub.events.correlation import HEADERS
from eventhub.events.message import Message
from eventhub.events.store import Outcome
from eventhub.events.wire_text import to_text
from eventhub.ingest.pipeline import Pipeline

DEFAULT_SOURCE = "http"
# Limits are kept on average over so long: a batch is not refused for being one.
QUOTA_WINDOW_S = 10
MEDIA_TYPES = ("application/json", cloudevents.STRUCTURED, cloudevents.BATCH)
# What else of a request's headers says something about the event; the rest (tokens, cookies) is nobody's business.
KEPT_HEADERS = frozenset(("content-type", "traceparent", *HEADERS))
STATUSES = {
    Outcome.STORED: "stored",
    Outcome.DUPLICATE: "duplicate",
    Outcome.MUTATED: "mutated",
    Outcome.REFUSED: "rejected",
}


class Refused(Exception):
    """The whole request is refused, with an HTTP status and what to do instead."""

    def __init__(self, status: int, detail: str, wait_s: int = 5) -> None:
        super().__init__(detail)
        self.wait_s = wait_s
        self.status = status
        self.detail = detail


class Result(msgspec.Struct, frozen=True):
    """What became of one event of a request."""

    index: int
    # "stored"; "duplicate": it was here already; "mutated": its id is here with other content, which was kept
    # aside; "rejected": not stored, for the reason given.
    status: str
    event_id: str | None = None
    error: str | None = None
    reason: str | None = None


_pipelines: dict[tuple[int, datetime], Pipeline] = {}


def accept(body: bytes, headers: Mapping[str, str], source_name: str | None = None) -> list[Result]:
    """Store the events in the body of a request, and answer for each. Raises Refused.

    `headers` have names in lower case. The events are committed when this returns.
    """
    source = _source(source_name)
    kept = {
        name: to_text(value.encode("utf-8", "surrogatepass"))
        for name, value in headers.items()
        if name in KEPT_HEADERS or name.startswith((cloudevents.HTTP_PREFIX, "eventhub-"))
    }
    is_binary = cloudevents.binary_prefix(kept) is not None
    media_type = headers.get("content-type", "").split(";")[0].strip().lower()
    if not is_binary and media_type and not _is_read(media_type):
        raise Refused(
            415, f"The content type {media_type!r} is not read here. Send one of: {', '.join(MEDIA_TYPES)}."
        )
    if headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "Compressed bodies are not read here. Send the body without Content-Encoding.")
    # The same body sent again is the same event, also where it has no id of its own.
    digest = hashlib.sha256(body).hexdigest()[:32]
    whole = Message(
        body=body,
        topic=source.name,
        offset="",
        origin_key=f"http:{digest}",
        headers=kept,
        timestamp=datetime.now(UTC),
    )
    messages = [whole] if is_binary else decoding.split(whole)
    _count(source, len(messages), len(body))
    pipeline = _pipeline(source)
    batch = pipeline.prepare_each(messages)
    written = pipeline.write(batch)
    index_of = {message.origin_key: index for index, message in enumerate(messages)}
    results = [
        Result(
            index_of[letter.message.origin_key],
            "rejected",
            letter.event.event_id if letter.event else None,
            letter.error_class,
            letter.error_message,
        )
        for letter in batch.letters
    ]
    for position, (event, origin, outcome) in enumerate(
        zip(batch.rows.events, batch.rows.origins, written.outcomes, strict=True)
    ):
        reason = written.refusals.get(position)
        results.append(
            Result(
                index_of[origin.origin_key],
                STATUSES[outcome],
                event.event_id,
                "Unstorable" if reason else None,
                reason,
            )
        )
    return sorted(results, key=lambda result: result.index)


def _count(source: Source, events: int, size_bytes: int) -> None:
    """Hold the sender to the source's limits, over ten seconds. Raises Refused: nothing is stored, send it again."""
    for what, limit, amount in (
        ("events", source.max_events_per_s, events),
        ("bytes", source.max_bytes_per_s, size_bytes),
    ):
        if limit and (
            wait_s := over_limit(f"{what}:{source.pk}", amount, limit * QUOTA_WINDOW_S, QUOTA_WINDOW_S)
        ):
            raise Refused(
                429,
                f"The source {source.name!r} takes {limit:,} {what} a second. Send it again in {wait_s} s; nothing of "
                "this request was stored.",
                wait_s,
            )


def http_status(results: list[Result]) -> int:
    """202 when anything was accepted, or nothing was sent (an empty batch); else 400 (nothing could be read) or 422
    (read, and not allowed)."""
    if not results or any(result.status != "rejected" for result in results):
        return 202
    return 422 if any(result.event_id for result in results) else 400


def _is_read(media_type: str) -> bool:
    """CloudEvents in JSON, and any other JSON: a mapping may know what to make of it."""
    if media_type.startswith(cloudevents.FORMATS):
        return media_type in MEDIA_TYPES
    return media.is_json(media_type)


def _source(name: str | None) -> Source:
    if name is None:
        source, _ = Source.objects.get_or_create(name=DEFAULT_SOURCE, defaults={"kind": Kind.HTTP})
    else:
        found = Source.objects.filter(name=name, kind=Kind.HTTP).first()
        if found is None:
            raise Refused(
                404,
                f"There is no HTTP source named {name!r}. Add it on the Sources page, or leave ?source= out.",
            )
        source = found
    if source.kind != Kind.HTTP:
        raise Refused(
            409, f"The source {source.name!r} is not an HTTP source. Name one that is with ?source=."
        )
    if not source.enabled:
        raise Refused(
            403, f"The source {source.name!r} is switched off. An operator can switch it on: Sources, Edit."
        )
    if source.paused:
        raise Refused(503, f"The source {source.name!r} is paused. Send the events again later.")
    return source


def _pipeline(source: Source) -> Pipeline:
    key = (source.pk, source.changed_at)
    if key not in _pipelines:
        for old in [old for old in _pipelines if old[0] == source.pk]:
            _pipelines.pop(old, None)
        try:
            _pipelines[key] = Pipeline(source)
        except BadConfig as error:
            raise Refused(503, f"{error} An operator can change it: Sources, Edit.") from error
    return _pipelines[key]
