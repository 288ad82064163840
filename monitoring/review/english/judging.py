"""Whether the name of an event says that something happened, or tells somebody to do something.

By the words alone: which of them is the verb, in which form, and where it stands. What cannot be told is UNCLEAR, and
no rule says anything about it.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from monitoring.review.english import verbs
from monitoring.review.english.splitting import Style, parts, style


class Reading(StrEnum):
    """What a name is."""

    # It says that something happened: order.placed.
    FACT = "fact"
    # It tells somebody to do something: send_invoice.
    COMMAND = "command"
    # It names a thing, or what goes on, and says neither: order.status, payment.processing.
    NOUN = "noun"
    UNCLEAR = "unclear"


class Judged(msgspec.Struct, frozen=True):
    """A reading, and the word that decided it."""

    reading: Reading
    word: str = ""
    # The words of the part that was decided by, and what stood before it.
    words: Sequence[str] = ()
    before: Sequence[Sequence[str]] = ()


# Words of a team's own, in small letters, with what they are: command, fact or noun.
Words = Mapping[str, str]
_NONE: Words = {}
_COMMANDING = frozenset(("command", "commands", "cmd", "please"))
_AUXILIARIES = frozenset(("will", "must", "should", "shall", "needs"))
_NOUN_ENDINGS = (
    "tion", "sion", "ment", "ness", "ity", "ance", "ence", "ship", "ture", "sis", "ism", "dom", "hood", "ure", "ery",
    "ency", "ancy", "logy", "graphy", "metry", "tory", "al", "age", "th", "ist", "ian", "ee", "er", "or",
    "ware", "gram",
)  # fmt: skip
# Written as one word they are things: feedback, payout, backup, breakdown; as two, they may be what happened.
_NOUN_TAILS = (
    "out", "up", "down", "back", "off", "time", "line", "board", "book", "point", "word", "sheet", "list", "fall",
)  # fmt: skip


def judge(name: str, own: Words = _NONE) -> Judged:
    """Read a name."""
    found = parts(name)
    if not found:
        return Judged(Reading.UNCLEAR)
    if any(word in _COMMANDING for part in found for word in (part[0], part[-1])):
        last = [word for word in found[-1] if word not in _COMMANDING] or found[-1]
        return Judged(Reading.COMMAND, last[0], last, found[:-1])
    last, before = found[-1], found[:-1]
    if len(found) == 2 and len(last) == len(before[0]) == 1 and _tells_to_do(before[0][0], last[0]):
        judged = _part(last, own, follows=True)  # approve.loan
        return (
            judged
            if judged.reading is Reading.FACT
            else Judged(Reading.COMMAND, before[0][0], [*before[0], *last])
        )
    judged = _part(last, own, follows=bool(before))
    if judged.reading is Reading.FACT or not before:
        return msgspec.structs.replace(judged, words=last, before=before)
    # order.placed.eu: a fact before a last word that says nothing.
    earlier = _part(before[-1], own, follows=len(before) > 1)
    if earlier.reading is Reading.FACT and len(last) == 1 and judged.reading is not Reading.COMMAND:
        return msgspec.structs.replace(earlier, words=before[-1], before=before[:-1])
    return msgspec.structs.replace(judged, words=last, before=before)


def _tells_to_do(verb: str, what: str) -> bool:
    """approve.loan, and not build.artifacts or ship.heading."""
    is_attribute = what in verbs.ATTRIBUTES or what.endswith("ing")
    return verb in verbs.STRONG and not is_attribute


def _part(words: Sequence[str], own: Words, *, follows: bool) -> Judged:
    """One part of a name. `follows`: it stands after another, which then is what it is about."""
    first, last = words[0], words[-1]
    for word in (last, first):
        if (kind := own.get(word)) and (word == first or kind != "command"):
            return Judged(Reading(kind), word)
    if fact := _fact(words, own):
        return Judged(Reading.FACT, fact)
    if any(word in _AUXILIARIES for word in words[1:]):
        return Judged(Reading.NOUN, last)
    if len(words) == 1:
        return _single(first, follows=follows)
    if _commands(words):
        return Judged(Reading.COMMAND, first)
    # A first word that nobody knows may be the verb.
    is_thing = _is_known_noun(last) or verbs.is_verb(last)
    is_first_thing = first not in verbs.EITHER and (_is_known_noun(first) or follows)
    is_noun = last in verbs.ATTRIBUTES or (is_thing and is_first_thing)
    return Judged(Reading.NOUN if is_noun else Reading.UNCLEAR, last)


def _commands(words: Sequence[str]) -> bool:
    """Whether the first word tells somebody to do something to what follows: ship_order, not order_status."""
    first, last = words[0], words[-1]
    if first in verbs.ALSO_THINGS and last in verbs.ATTRIBUTES:
        return False
    if verbs.is_strong(first):
        return True
    if not verbs.is_verb(first) or first in verbs.NOUN_FIRST:
        return False
    if last in verbs.ATTRIBUTES:
        return last in verbs.SETTABLE and (first in verbs.SETTERS or len(words) > 2)
    return not last.endswith("ing")


def _single(word: str, *, follows: bool) -> Judged:
    """order.cancel is a command; order.refund may be the refund."""
    if verbs.is_strong(word):
        return Judged(Reading.COMMAND, word)
    if verbs.is_verb(word) and not follows:
        return Judged(Reading.UNCLEAR, word)
    return Judged(Reading.NOUN if _is_known_noun(word) else Reading.UNCLEAR, word)


def _fact(words: Sequence[str], own: Words) -> str:
    """The word that says that something happened; empty where none does."""
    for place in range(len(words) - 1, -1, -1):
        word, rest = words[place], words[place + 1 :]
        if not (verbs.is_past(word) or own.get(word) == "fact"):
            continue
        if rest and rest[0] not in verbs.PARTICLES:
            continue
        # send_delayed… would need something after; notify_user_registered says what happened all the same.
        return word
    last = words[-1]
    if last in verbs.STATES:
        return last
    if len(words) > 1 and last in verbs.UNCHANGED and not verbs.is_strong(words[0]):
        return last  # price_set, timer-reset
    return "out_of_stock" if tuple(words[-3:]) == ("out", "of", "stock") else ""


def _is_known_noun(word: str) -> bool:
    if word in verbs.THINGS or word in verbs.WEAK or word.endswith("ing"):
        return True
    # A plural, whatever it is of; not one of the words that only end like one: status, analysis, express.
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return True
    if len(word) > 5 and word.endswith(_NOUN_TAILS):
        return True
    return len(word) > 3 and word.endswith(_NOUN_ENDINGS) and not verbs.is_strong(word)


def better(name: str, judged: Judged) -> str:
    """The name in the past tense, in the style it is written in: send_invoice → invoice_sent; empty where unknown."""
    words = [word for word in judged.words if word != judged.word]
    if not verbs.is_verb(judged.word):
        return ""
    about = words or (list(judged.before[-1]) if judged.before else [])
    if not about:
        return ""
    said = [*about, *verbs.participle(judged.word).split()] if words else [verbs.participle(judged.word)]
    return _joined(name, said, judged)


def _joined(name: str, words: Sequence[str], judged: Judged) -> str:
    head, written = name[: _last_part(name)], style(name)
    if written is Style.PASCAL:
        return head + "".join(word.capitalize() for word in words)
    if written is Style.CAMEL:
        return head + words[0] + "".join(word.capitalize() for word in words[1:])
    if written is Style.UPPER:
        return head + "_".join(words).upper()
    joint = "-" if written is Style.KEBAB else "_"
    # billing.send_invoice → invoice.sent: where names have parts, the first is what it happened to.
    if "." in name and len(words) > 1:
        return f"{joint.join(words[:-1])}.{words[-1]}"
    return head + joint.join(words)


def _last_part(name: str) -> int:
    return max(name.rfind(mark) for mark in "./:\\#") + 1
