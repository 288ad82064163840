"""What becomes of the messages of a batch, decided from what the broker refused: sent, tried again, given up."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

MAX_ATTEMPTS = 8
BASE_S = 1.0
CAP_S = 300.0


class Row(msgspec.Struct, frozen=True):
    """A message as the relay reads it."""

    number: int
    topic: str
    key: str | None
    # A JSON text; whoever writes the table can put anything there.
    headers: str
    body: str
    attempts: int


class Fate(StrEnum):
    """What becomes of a message that was refused."""

    AGAIN = "again"
    DEAD = "dead"


class Refusal(msgspec.Struct, frozen=True):
    """A message that the broker refused, and what becomes of it."""

    number: int
    fate: Fate
    delay_s: float
    reason: str


class Settled(msgspec.Struct, frozen=True):
    """What became of a batch."""

    sent: list[int]
    refused: list[Refusal]


def settle(
    rows: Sequence[Row], reasons: Mapping[int, str], roll: float = 1.0, max_attempts: int = MAX_ATTEMPTS
) -> Settled:
    """Decide for each of `rows`; `reasons` by index in it. `roll`, from 0 to 1, is what the jitter is made of.

    A refused message is tried again and its key waits for it, unless later ones of its key went out already: then it
    could only come after them, and is given up with that reason.
    """
    last_sent: dict[tuple[str, str], int] = {}
    for index, row in enumerate(rows):
        if index not in reasons and row.key is not None:
            last_sent[row.topic, row.key] = index
    refused = []
    for index, reason in sorted(reasons.items()):
        row = rows[index]
        overtaken = row.key is not None and last_sent.get((row.topic, row.key), -1) > index
        if overtaken or row.attempts + 1 >= max_attempts:
            why = f"{reason} Later messages of its key are out already." if overtaken else reason
            refused.append(Refusal(row.number, Fate.DEAD, 0.0, why))
        else:
            longest = min(CAP_S, BASE_S * 2.0 ** min(row.attempts, 60))
            refused.append(Refusal(row.number, Fate.AGAIN, roll * longest, reason))
    return Settled([row.number for index, row in enumerate(rows) if index not in reasons], refused)
