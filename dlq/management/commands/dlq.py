"""``manage.py dlq list|retry|discard|jobs|…``: dead letters at a terminal, and for scripts."""

import getpass
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dlq import closing, exporting, listing, rereading, retention
from dlq.attributes import BadAttribute, read_attribute
from dlq.filter import Filter
from dlq.jobs import controlling, progress, starting
from dlq.jobs.options import BadOption, Options, read_options
from dlq.jobs.preflight import preflight
from dlq.jobs.selection import BadSelection, Selection, of_filter, of_letters
from dlq.jobs.table import csv_lines
from dlq.models import DeadLetter, JobState, Reason, RetryJob, Status
from dlq.retry import MAX_AT_ONCE, NotNow, Refusal
from eventhub.access.audit import Actor

LOOK_EVERY_S = 1.0
# Of a filter, the oldest so many; the next call goes on with the others.
MOST_READ_AGAIN = 100_000


class Command(BaseCommand):
    """Dead letters at a terminal."""

    help = (
        "List, retry and discard dead letters. For example: dlq list --reason service; dlq retry 12 13; "
        "dlq retry --group 4 --canary 1 --wait; dlq results 7 > results.csv; dlq discard 12 --because 'test data'."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        show = verbs.add_parser("list", help="Show letters, the newest first.")
        show.add_argument("--status", choices=[*Status.values, "all"], default="open")
        show.add_argument("--limit", type=int, default=50)
        _filters(show)
        _retry_arguments(verbs.add_parser("retry", help="Send letters again, as a job."))
        discard = verbs.add_parser("discard", help="Take letters off the list.")
        discard.add_argument("ids", nargs="*", type=int, help="Letter ids; or leave them out and filter.")
        discard.add_argument("--because", required=True, help="Why: others will read it.")
        _filters(discard)
        again = verbs.add_parser(
            "read-again", help="Read letters that EventHub could not read as their sources read them now."
        )
        again.add_argument("ids", nargs="*", type=int, help="Letter ids; or leave them out and filter.")
        _filters(again)
        export = verbs.add_parser("export", help="Write letters to standard output, the newest first.")
        export.add_argument("--format", choices=["csv", "jsonl"], default="csv")
        export.add_argument("--status", choices=[*Status.values, "all"], default="open")
        _filters(export)
        old = verbs.add_parser("drop-old", help="Drop letters that were closed long ago.")
        old.add_argument("--days", type=int, help="Else DEAD_LETTER_RETENTION_DAYS.")
        old.add_argument("--dry-run", action="store_true", help="Say how many, and drop none.")
        jobs = verbs.add_parser("jobs", help="Show retry jobs, the newest first.")
        jobs.add_argument("--limit", type=int, default=20)
        for name, words in (
            ("pause", "Send nothing more until it is resumed."),
            ("resume", "Go on with a paused job; begin a scheduled one now."),
            ("cancel", "Send nothing more, ever."),
            ("results", "The result of each letter, as CSV."),
        ):
            verbs.add_parser(name, help=words).add_argument("job", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the verb says."""
        verbs: dict[str, Callable[[dict[str, Any]], None]] = {
            "list": self._list,
            "retry": self._retry,
            "discard": self._discard,
            "read-again": self._read_again,
            "export": self._export,
            "drop-old": self._drop_old,
            "jobs": self._jobs,
            "results": self._results,
        }
        verbs.get(options["verb"], self._control)(options)

    def _list(self, options: dict[str, Any]) -> None:
        for letter in listing.letters(_filter(options, options["status"]), max(1, options["limit"])):
            self.stdout.write(_line(letter))

    def _discard(self, options: dict[str, Any]) -> None:
        ids = options["ids"]
        if not ids:
            ids = listing.open_letter_ids(_some_filter(options), MAX_AT_ONCE + 1)
            if len(ids) > MAX_AT_ONCE:
                ids = ids[:MAX_AT_ONCE]
                self.stderr.write(
                    f"More than {MAX_AT_ONCE} fit; these are the oldest {MAX_AT_ONCE}. Run it again after."
                )
        try:
            closed = closing.discard(ids, options["because"], _actor())
        except closing.NoReason as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Discarded {len(closed.done)}, left as they were {len(closed.refused)}.")
        self._refused(closed.refused)

    def _read_again(self, options: dict[str, Any]) -> None:
        ids = options["ids"] or listing.open_letter_ids(_some_filter(options), MOST_READ_AGAIN)
        done = 0
        refused: list[Refusal] = []
        for start in range(0, len(ids), MAX_AT_ONCE):
            closed = rereading.read_again(ids[start : start + MAX_AT_ONCE], _actor())
            done += len(closed.done)
            refused += closed.refused
        self.stdout.write(f"Stored {done}, left as they were {len(refused)}.")
        self._refused(refused)

    def _export(self, options: dict[str, Any]) -> None:
        wanted = _filter(options, options["status"])
        as_csv = options["format"] == "csv"
        for line in (
            exporting.csv_lines(wanted)
            if as_csv
            else exporting.json_lines(wanted, lambda letter: bytes(letter.body))
        ):
            self.stdout.write(line, ending="")

    def _drop_old(self, options: dict[str, Any]) -> None:
        days = options["days"]
        if retention.horizon(days) is None:
            raise CommandError(
                "Say --days, or set DEAD_LETTER_RETENTION_DAYS: it is 0, which keeps every letter."
            )
        if options["dry_run"]:
            self.stdout.write(f"{retention.count_old(days):,} closed letters would be dropped.")
        else:
            self.stdout.write(f"Dropped {retention.drop_old(days):,} closed letters.")

    def _retry(self, options: dict[str, Any]) -> None:
        try:
            selection = of_letters(options["ids"]) if options["ids"] else of_filter(_some_filter(options))
            wanted = _options(options)
            if options["dry_run"]:
                self._preflight(selection, wanted)
                return
            job = starting.start(selection, _actor(), wanted, start_at=_time(options["at"]))
        except (BadSelection, BadOption) as error:
            raise CommandError(str(error)) from error
        except starting.NothingToSend as error:
            self._name(error.refusals)
            raise CommandError(str(error)) from error
        self.stdout.write(f"Retry job {job.pk}: {job.title}.")
        if options["wait"]:
            self._wait(job)
        self._say(job)

    def _preflight(self, selection: Selection, wanted: Options) -> None:
        look = preflight(selection, wanted)
        self.stdout.write(look.sentence)
        for destination in look.destinations:
            self.stdout.write(f"  {destination.letters:,} to {destination.words}")
        for finding in look.findings:
            self.stdout.write(f"  {'!' if finding.level == 'warn' else '-'} {finding.text}")
        self._name(look.refused)

    def _wait(self, job: RetryJob) -> None:
        while not job.is_finished and job.state != JobState.PAUSED:
            time.sleep(LOOK_EVERY_S)
            job.refresh_from_db()

    def _say(self, job: RetryJob) -> None:
        now = progress.of(job)
        parts = ", ".join(f"{part.count:,} {part.word}" for part in now.parts)
        self.stdout.write(f"{now.word}: {parts or 'nothing sent yet'}. {now.sentence}".rstrip())
        if now.tally.not_published or now.tally.uncertain:
            raise CommandError(f"Not all letters got out; see: dlq results {job.pk}")

    def _jobs(self, options: dict[str, Any]) -> None:
        for job in RetryJob.objects.all()[: max(1, options["limit"])]:
            now = progress.of(job)
            self.stdout.write(
                f"{job.pk}\t{now.word}\t{now.tally.sent} of {now.tally.total} sent, {now.tally.returned} came back"
                f"\t{job.requested_by}\t{job.requested_at:%Y-%m-%d %H:%M:%S}\t{job.title}"
            )

    def _control(self, options: dict[str, Any]) -> None:
        deeds = {"pause": controlling.pause, "resume": controlling.resume, "cancel": controlling.cancel}
        try:
            job = deeds[options["verb"]](options["job"], _actor())
        except NotNow as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Retry job {job.pk} is {progress.of(job).word}.")

    def _results(self, options: dict[str, Any]) -> None:
        job = RetryJob.objects.filter(pk=options["job"]).first()
        if job is None:
            raise CommandError(f"There is no retry job {options['job']}.")
        for line in csv_lines(job):
            self.stdout.write(line, ending="")

    def _name(self, refused: list[Refusal]) -> None:
        for refusal in refused:
            self.stderr.write(f"  #{refusal.letter_id}: {refusal.why}")

    def _refused(self, refused: list[Refusal]) -> None:
        self._name(refused)
        if refused:
            raise CommandError("Not all letters were changed; see above.")


def _filters(parser: CommandParser) -> None:
    parser.add_argument("--group", type=int, help="Only letters of this group.")
    parser.add_argument("--reason", choices=Reason.values, default="")
    parser.add_argument("--source", default="", help="Only letters from the source of this name.")
    parser.add_argument("--event-type", default="")
    parser.add_argument("-q", default="", help="Words in the error, or an event, trace or letter id.")
    parser.add_argument("--topic", default="", help="The topic or queue it was for, or was read from.")
    parser.add_argument("--failed-in", default="", help="The service that gave up on it.")
    parser.add_argument("--error-class", default="")
    parser.add_argument(
        "--where", default="", metavar="VALUE", help="Of the payload: 'data.order_id = 8412'."
    )
    parser.add_argument("--since", metavar="TIME", help="Failed last then or later: 2030-12-31T06:00 (UTC).")
    parser.add_argument("--until", metavar="TIME", help="Failed last before then.")


def _retry_arguments(parser: CommandParser) -> None:
    parser.add_argument("ids", nargs="*", type=int, help="Letter ids; or leave them out and filter.")
    _filters(parser)
    parser.add_argument("--dry-run", action="store_true", help="Say what would happen, and send nothing.")
    parser.add_argument("--wait", action="store_true", help="Wait until all are sent.")
    parser.add_argument("--canary", type=int, help="So many first; the others when these have not come back.")
    parser.add_argument("--canary-wait", type=int, dest="canary_wait_s", metavar="SECONDS")
    parser.add_argument("--ramp", action="store_true", help="1, 2, 5, 20, 50 … while few come back.")
    parser.add_argument(
        "--returns-limit", type=float, metavar="SHARE", help="Pause when more come back: 0.1."
    )
    parser.add_argument("--rate", type=float, dest="rate_per_s", metavar="LETTERS", help="A second, at most.")
    parser.add_argument("--cap", type=int, help="Of one key, at most.")
    parser.add_argument("--cap-interval", type=int, dest="cap_interval_s", metavar="SECONDS")
    parser.add_argument("--key", choices=["correlation_id", "message_key"])
    parser.add_argument("--in-order", action="store_true", help="One after the other within a key.")
    parser.add_argument("--stop-at", type=int, metavar="LETTERS")
    parser.add_argument("--redirect-to", metavar="TOPIC")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument(
        "--at", metavar="TIME", help="Begin then: 2030-12-31T06:00 (UTC unless it says otherwise)."
    )


def _options(given: dict[str, Any]) -> Options:
    named = {
        name: given[name]
        for name in Options.__struct_fields__
        if given.get(name) is not None and given[name] is not False
    }
    return read_options(named)


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError("A time should look like 2030-12-31T06:00.") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _attribute(text: str) -> str:
    if text:
        try:
            read_attribute(text)
        except BadAttribute as error:
            raise CommandError(str(error)) from error
    return text


def _filter(options: dict[str, Any], status: str) -> Filter:
    return Filter(
        status="" if status == "all" else status,
        reason=options["reason"],
        source=options["source"],
        event_type=options["event_type"],
        q=options["q"],
        group=options["group"],
        topic=options["topic"],
        failed_in=options["failed_in"],
        error_class=options["error_class"],
        attribute=_attribute(options["where"]),
        since=_time(options["since"]),
        until=_time(options["until"]),
    )


def _some_filter(options: dict[str, Any]) -> Filter:
    wanted = _filter(options, "open")
    if wanted == Filter(status="open"):
        raise CommandError(
            "Name letters by id, or say which: --group, --reason, --source, --event-type, --where or -q."
        )
    return wanted


def _actor() -> Actor:
    return Actor(f"{getpass.getuser()} (command)")


def _line(letter: DeadLetter) -> str:
    what = letter.event_type or f"{letter.size_bytes} bytes on {letter.read_from}"
    where = letter.failed_in or letter.source.name
    message = " ".join(letter.error_message.split())[:100]
    return f"#{letter.pk}\t{letter.status}\t{letter.last_failed_at:%Y-%m-%d %H:%M:%S}\t{what}\t{where}\t{message}"
