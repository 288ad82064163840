"""The verbs that events and commands are named with, and how they form their past participle.

The words themselves lie in ``words/``, a list a file.
"""

from pathlib import Path

_FOLDER = Path(__file__).parent / "words"


def _lines(name: str) -> list[list[str]]:
    text = (_FOLDER / f"{name}.txt").read_text()
    return [line.split() for line in text.splitlines() if not line.startswith("#")]


def _words(name: str) -> frozenset[str]:
    return frozenset(word for line in _lines(name) for word in line)


# Base -> participle. Of some the participle is the base itself: set, become.
PARTICIPLES = {base: participle for base, participle, *_ in _lines("irregular")}
# What can be nothing but a past tense or participle.
IRREGULAR_PASTS = frozenset(
    word for base, *pasts in _lines("irregular") for word in pasts if word != base
) - frozenset(PARTICIPLES)
# Participles that look like their base: only the place of the word can tell.
UNCHANGED = frozenset(
    (
        "set",
        "reset",
        "preset",
        "put",
        "cut",
        "hit",
        "shut",
        "split",
        "quit",
        "read",
        "upset",
        "become",
        "overrun",
        "cast",
        "broadcast",
        "burst",
    )
)
# Verbs that are hardly ever a thing; words that are as often a thing; things; adjectives as good as a past tense.
STRONG, WEAK, THINGS, STATES = map(_words, ("strong", "weak", "things", "states"))
VERBS = STRONG | WEAK | frozenset(PARTICIPLES)
# Of the words that are both, those that are a thing where they stand first; what makes a thing of one that it follows;
# what can be set all the same.
NOUN_FIRST, EITHER, ATTRIBUTES, SETTABLE = map(_words, ("noun_first", "either", "attributes", "settable"))
# Verbs that are a thing all the same before what says how it stands: build progress, push payload.
ALSO_THINGS = frozenset(
    (
        "build",
        "deploy",
        "read",
        "write",
        "push",
        "pull",
        "render",
        "install",
        "join",
        "merge",
        "fail",
        "sell",
        "win",
    )
)
SETTERS = frozenset(("update", "change", "set", "reset", "edit", "check", "refresh", "raise"))
NOT_PAST, PARTICLES = _words("not_past"), _words("particles")
_PREFIXES = ("re", "un", "de", "dis", "over", "pre", "auto", "mis", "under")
_UNDOING = ("re", "un", "de")
_LONG_WEAK = frozenset(word for word in WEAK if len(word) > 3)
# Endings that make a verb of nearly any word; with the words that only look like one.
_VERBAL = ("ize", "ise", "ify", "ate")
_NOT_VERBAL, _DOUBLING = _words("not_verbal"), _words("doubling")
# Verbs in -l that double it, as British English does.
_DOUBLING_L = frozenset(
    ("cancel", "label", "travel", "fulfil", "enrol", "model", "signal", "control", "patrol", "compel")
)


def is_verb(word: str) -> bool:
    """Whether it is the base form of a verb that is known, or made of one: reindex, anonymise."""
    if word in VERBS:
        return True
    if word in _NOT_VERBAL:
        return False
    if any(word.startswith(prefix) and word[len(prefix) :] in STRONG for prefix in _PREFIXES):
        return True
    if any(word.startswith(prefix) and word[len(prefix) :] in _LONG_WEAK for prefix in _UNDOING):
        return True  # relist, unflag: with these even a word that may be a thing is a verb
    return len(word) > 5 and word.endswith(_VERBAL)


def is_strong(word: str) -> bool:
    """Whether it is a verb and hardly ever a thing."""
    return is_verb(word) and word not in WEAK


def is_past(word: str) -> bool:
    """Whether it is a past tense or participle that looks like nothing else."""
    if word in IRREGULAR_PASTS:
        return True
    if word not in VERBS and any(
        word.startswith(prefix) and word[len(prefix) :] in IRREGULAR_PASTS for prefix in _PREFIXES
    ):
        return True  # unfrozen, rebuilt
    return len(word) > 3 and word.endswith("ed") and word not in NOT_PAST and not word.endswith("eed")


def participle(verb: str) -> str:
    """The past participle: send → sent, cancel → cancelled, notify → notified, ship → shipped."""
    if verb in PARTICIPLES:
        return PARTICIPLES[verb]
    for prefix in _PREFIXES:
        rest = verb.removeprefix(prefix)
        if rest != verb and rest in PARTICIPLES:
            return prefix + PARTICIPLES[rest]
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return verb[:-1] + "ied"
    if verb in _DOUBLING:
        return verb + verb[-1] + "ed"
    if verb in _DOUBLING_L:
        return verb + "led"
    return verb + "ed"
