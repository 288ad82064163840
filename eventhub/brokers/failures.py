"""What went wrong with a broker, in a word: decided from the error and from what caused it."""

import re
import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum

import msgspec

from eventhub.brokers.adapter import BadConfig
from eventhub.brokers.secrets.scrubbing import scrub


class Problem(StrEnum):
    """What a person would call it."""

    UNKNOWN_HOST = "unknown host"
    REFUSED = "refused"
    NO_ANSWER = "no answer"
    NOT_AUTHORISED = "not authorised"
    NOT_THERE = "not there"
    NOT_TRUSTED = "not trusted"
    SETTINGS = "wrong settings"
    OTHER = "failed"


class Failure(msgspec.Struct, frozen=True):
    """What went wrong, the broker's words for it, and what to do."""

    problem: Problem
    text: str
    advice: str


ADVICE = {
    Problem.UNKNOWN_HOST: "No address is known for the host's name from here. Check its spelling; a name of a "
    "container or a cluster is known only inside of it.",
    Problem.REFUSED: "The host is there, but nothing listens on that port, or a firewall refuses. Check the port, and "
    "that the broker runs.",
    Problem.NO_ANSWER: "Nothing came back in time. Check the address, that nothing blocks the way from here to it, and "
    "that both sides mean the same by TLS.",
    Problem.NOT_AUTHORISED: "The broker is there and does not let this user in, or not to this. Check the name, the "
    "password and what the user may do.",
    Problem.NOT_THERE: "Check the spelling, and whether it was made already.",
    Problem.NOT_TRUSTED: "The connection is encrypted and one side does not trust the other. Check the certificate "
    "authority, that the certificate is for this host's name, and that the port is the one for TLS.",
    Problem.SETTINGS: "Correct it in the settings of the source.",
    Problem.OTHER: "The broker's own words are above; its log may say more.",
}

# What errors are called by, in the words of the clients: the first that fits counts.
WORDS: tuple[tuple[Problem, str], ...] = (
    (Problem.NOT_THERE, r"there is no (queue|exchange|topic|stream|virtual host)"),
    (
        Problem.UNKNOWN_HOST,
        r"name or service not known|failed to resolve|could not (be )?resolve|nodename nor servname|"
        r"temporary failure in name resolution|no address associated|unknown host|host not found",
    ),
    (
        Problem.NOT_TRUSTED,
        r"certificate|ssl handshake|tls|wrong version number|ssl error|\[ssl",
    ),
    (
        Problem.NOT_AUTHORISED,
        r"authenticat|authoriz|authoris|access.?refused|access.?denied|noauth|wrongpass|noperm|not allowed|forbidden|"
        r"invalid.?(client.?token|password|username|credentials)|signaturedoesnotmatch|unrecognizedclient|"
        r"expired.?token|unable to locate credentials|sasl|permission denied|login was refused",
    ),
    (
        Problem.NOT_THERE,
        r"unknown.?topic|no such (topic|queue|exchange|host)|nonexistent.?queue|not.?found|does not exist|"
        r"no (queue|exchange) '|queuedoesnotexist",
    ),
    (Problem.REFUSED, r"connection refused|refused the connection|errno 111|connect to .* failed"),
    (
        Problem.NO_ANSWER,
        r"timed? ?out|no answer|not answered|no kafka answers|cannot be reached|unreachable|no route to host|"
        r"all brokers are down",
    ),
)
_WORDS = tuple((problem, re.compile(words, re.IGNORECASE)) for problem, words in WORDS)


def explain(error: BaseException) -> Failure:
    """What `error` means for a person who set the broker's address. Its text holds no secret."""
    text = (
        str(error) if type(error).__module__.startswith("eventhub.") else f"{type(error).__name__}: {error}"
    )
    problem = _problem(error)
    return Failure(problem, scrub(text), ADVICE[problem])


def problem_in(words: str) -> Problem:
    """What a broker's words mean, where nothing but the words is left."""
    return next((problem for problem, pattern in _WORDS if pattern.search(words)), Problem.OTHER)


def _problem(error: BaseException) -> Problem:
    chain = list(_chain(error))
    if isinstance(error, BadConfig):
        return Problem.SETTINGS
    for one in chain:
        match one:
            case socket.gaierror():
                return Problem.UNKNOWN_HOST
            case ssl.SSLError():
                return Problem.NOT_TRUSTED
            case ConnectionRefusedError():
                return Problem.REFUSED
    for problem, words in _WORDS:
        if any(words.search(str(one)) for one in chain):
            return problem
    if any(isinstance(one, TimeoutError) for one in chain):
        return Problem.NO_ANSWER
    return Problem.OTHER


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, the error first."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__
