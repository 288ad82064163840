"""``manage.py dead_letters list|retry|discard``: dead letters for operators at a terminal, and for scripts."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dlq import closing, listing
from dlq.listing import Filter
from dlq.models import DeadLetter, Reason, Status
from dlq.operating import retry_letters
from dlq.retry import MAX_AT_ONCE, Refusal
from eventhub.access.audit import Actor


class Command(BaseCommand):
    """List, retry and discard dead letters."""

    help = (
        "List, retry and discard dead letters. For example: dead_letters list --reason service; "
        "dead_letters retry 12 13; dead_letters retry --group 4; dead_letters discard 12 --because 'test data'."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The three verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        show = verbs.add_parser("list", help="Show letters, the newest first.")
        show.add_argument("--status", choices=[*Status.values, "all"], default="open")
        show.add_argument("--limit", type=int, default=50)
        for name, words in (("retry", "Send letters again."), ("discard", "Take letters off the list.")):
            verb = verbs.add_parser(name, help=words)
            verb.add_argument("ids", nargs="*", type=int, help="Letter ids; or leave them out and filter.")
            if name == "discard":
                verb.add_argument("--because", required=True, help="Why: others will read it.")
        for verb in verbs.choices.values():
            verb.add_argument("--group", type=int, help="Only letters of this group.")
            verb.add_argument("--reason", choices=Reason.values, default="")
            verb.add_argument("--source", default="", help="Only letters from the source of this name.")
            verb.add_argument("--event-type", default="")
            verb.add_argument("-q", default="", help="Words in the error, or an event, trace or letter id.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the verb says."""
        status = options.get("status", "open")
        wanted = Filter(
            status="" if status == "all" else status,
            reason=options["reason"],
            source=options["source"],
            event_type=options["event_type"],
            q=options["q"],
            group=options["group"],
        )
        if options["verb"] == "list":
            for letter in listing.letters(wanted, max(1, options["limit"])):
                self.stdout.write(_line(letter))
            return
        ids = options["ids"] or self._filtered(wanted)
        actor = Actor(f"{getpass.getuser()} (command)")
        if options["verb"] == "retry":
            outcome = retry_letters(ids, actor)
            self._say(f"Sent {len(outcome.sent)}, on their way {len(outcome.being_sent)}", outcome.refused)
        else:
            try:
                closed = closing.discard(ids, options["because"], actor)
            except closing.NoReason as error:
                raise CommandError(str(error)) from error
            self._say(f"Discarded {len(closed.done)}", closed.refused)

    def _filtered(self, wanted: Filter) -> list[int]:
        if wanted == Filter(status="open"):
            raise CommandError(
                "Name letters by id, or say which: --group, --reason, --source, --event-type or -q."
            )
        found = listing.open_letter_ids(wanted, MAX_AT_ONCE + 1)
        if len(found) > MAX_AT_ONCE:
            self.stderr.write(
                f"More than {MAX_AT_ONCE} fit; these are the oldest {MAX_AT_ONCE}. Run it again after."
            )
        return found[:MAX_AT_ONCE]

    def _say(self, done: str, refused: list[Refusal]) -> None:
        self.stdout.write(f"{done}, left as they were {len(refused)}.")
        for refusal in refused:
            self.stderr.write(f"  #{refusal.letter_id}: {refusal.why}")
        if refused:
            raise CommandError("Not all letters were changed; see above.")


def _line(letter: DeadLetter) -> str:
    what = letter.event_type or f"{letter.size_bytes} bytes on {letter.read_from}"
    where = letter.failed_in or letter.source.name
    message = " ".join(letter.error_message.split())[:100]
    return f"#{letter.pk}\t{letter.status}\t{letter.last_failed_at:%Y-%m-%d %H:%M:%S}\t{what}\t{where}\t{message}"
