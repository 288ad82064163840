"""How a job sends its letters: what a person may ask for, checked before anything is written."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

PaceKey = Literal["", "correlation_id", "message_key"]
# A share of returns that nobody should have to name.
USUAL_RETURNS_LIMIT = 0.1


class BadOption(ValueError):
    """An option holds what it cannot. The text names it and says what it should hold."""


class Options(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How letters are sent. As it stands without being told anything: all of them, in order, as fast as it goes."""

    # This many go first; the others only when these have succeeded, or have not come back for `canary_wait_s`.
    canary: Annotated[int, Meta(ge=0, le=100)] = 0
    canary_wait_s: Annotated[int, Meta(ge=1, le=86_400)] = 60
    # Begin with 1, 2, 5, 20, 50 … and wait after each step for outcomes, `ramp_wait_s` at most.
    ramp: bool = False
    ramp_wait_s: Annotated[int, Meta(ge=1, le=86_400)] = 10
    # The job pauses when a larger share of what it sent comes back.
    returns_limit: Annotated[float, Meta(ge=0, le=1)] | None = None
    batch_size: Annotated[int, Meta(ge=1, le=5_000)] = 2_000
    rate_per_s: Annotated[float, Meta(ge=0.01, le=100_000)] | None = None
    # What `cap` and `in_order` go by.
    key: PaceKey = ""
    # At most so many letters of one key within `cap_interval_s`.
    cap: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    cap_interval_s: Annotated[int, Meta(ge=1, le=86_400)] = 60
    # The next letter of a key only when the one before has succeeded or has not come back for `ramp_wait_s`; when it
    # came back, the others of its key stay.
    in_order: bool = False
    # Of the selection only the oldest so many.
    stop_at: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    # Another topic or queue at the same broker than the one the letters were for.
    redirect_to: Annotated[str, Meta(max_length=250)] = ""

    def as_json(self) -> object:
        """For a JSON column."""
        return msgspec.to_builtins(self)

    @property
    def limit(self) -> float | None:
        """The share of returns that pauses the job."""
        return USUAL_RETURNS_LIMIT if self.ramp and self.returns_limit is None else self.returns_limit

    @property
    def is_plain(self) -> bool:
        """Whether nothing holds a letter back: such a job of a few letters is sent while its asker waits."""
        return not (self.canary or self.ramp or self.rate_per_s or self.cap or self.in_order)

    @property
    def pace_key(self) -> PaceKey:
        """What letters are spaced out or kept in order by; empty when they are not."""
        return (self.key or "correlation_id") if self.cap or self.in_order else ""


WORDS = {
    "canary": "how many letters go first: 0 to 100",
    "canary_wait_s": "how long the canary must not come back: 1 to 86,400 seconds",
    "ramp": "true or false",
    "ramp_wait_s": "how long to wait for outcomes after a step: 1 to 86,400 seconds",
    "returns_limit": "a share from 0 to 1, such as 0.1 for a tenth",
    "batch_size": "1 to 5,000 letters",
    "rate_per_s": "letters a second: 0.01 to 100,000",
    "key": '"correlation_id" or "message_key"',
    "cap": "letters of one key: 1 to 10,000",
    "cap_interval_s": "1 to 86,400 seconds",
    "in_order": "true or false",
    "stop_at": "a number of letters: 1 to 10,000,000",
    "redirect_to": "the name of a topic or queue, at most 250 characters",
}


def read_options(given: Any) -> Options:
    """Options from parsed JSON or a form's texts. Raises BadOption."""
    try:
        options = msgspec.convert(given, Options, strict=False)
    except msgspec.ValidationError as error:
        raise BadOption(_explain(str(error))) from error
    if "\x00" in options.redirect_to:
        raise BadOption("The topic to send to holds a NUL character, which no broker takes.")
    return options


def _explain(message: str) -> str:
    name = message.partition("$.")[2].partition("`")[0]
    if name in WORDS:
        return f"The option {name} should be {WORDS[name]}."
    if "unknown field" in message:
        return f"There is no such option ({message.split('`')[1]}). There are: {', '.join(WORDS)}."
    return f"The options should be an object with some of: {', '.join(WORDS)}."
