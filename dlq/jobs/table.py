"""The results of a job as CSV, for spreadsheets and scripts."""

import csv
from collections.abc import Iterator
from datetime import UTC

from dlq.jobs import results
from dlq.models import RetryJob
from eventhub.pages.spreadsheet import harmless

HEADINGS = ("letter", "event_type", "outcome", "attempt", "times_published", "at", "destination", "detail")


class _Line:
    """A file whose last written text can be taken."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def csv_lines(found: RetryJob) -> Iterator[str]:
    """The results of a job as lines of CSV, read in chunks."""
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(HEADINGS)
    yield line.text
    for result in results.everything(found):
        at = result.at.astimezone(UTC).isoformat() if result.at else ""
        cells = [result.letter_id, result.event_type, result.outcome, result.attempt or "", result.sends, at]
        writer.writerow([harmless(cell) for cell in (*cells, result.destination, result.detail)])
        yield line.text
