"""Growing batches: whether the next one may go, from what came back of the ones before."""

from typing import Literal

import msgspec

SIZES = (1, 2, 5, 20, 50, 100, 200, 500, 1_000)
Verdict = Literal["go", "wait", "stop"]


class Look(msgspec.Struct, frozen=True):
    """What is known of a running job: of its latest step, and of all of it."""

    step_sent: int = 0
    step_settled: int = 0
    step_returned: int = 0
    # Since the step began to be sent.
    waited_s: float = 0.0
    sent: int = 0
    returned: int = 0


class Decision(msgspec.Struct, frozen=True):
    """Whether to send more, and why not."""

    verdict: Verdict
    why: str = ""


def size_of(step: int, batch_size: int) -> int:
    """How many letters the `step`-th batch (from 0) holds."""
    return min(batch_size, SIZES[step]) if step < len(SIZES) else batch_size


def is_growing(step: int, batch_size: int) -> bool:
    """Whether the batches have not reached their full size."""
    return step < len(SIZES) and SIZES[step] < batch_size


def too_many_return(look: Look, limit: float) -> str:
    """Why the job should stop, when too much comes back; empty when not.

    Judged by the latest step and by the whole: the whole alone would be blind to what breaks late.
    """
    for returned, sent, what in (
        (look.step_returned, look.step_sent, "of the latest batch"),
        (look.returned, look.sent, "of all that was sent"),
    ):
        if sent and returned / sent > limit:
            return (
                f"{returned:,} of {sent:,} letters {what} came back, more than the {limit:.0%} that are allowed. "
                "Look at what they died of, then resume or cancel."
            )
    return ""


def decide(look: Look, limit: float, wait_s: float) -> Decision:
    """Whether the next step of a ramp may go: when the latest has settled, or `wait_s` passed without complaint."""
    if why := too_many_return(look, limit):
        return Decision("stop", why)
    if look.step_settled < look.step_sent and look.waited_s < wait_s:
        left = look.step_sent - look.step_settled
        return Decision("wait", f"Waiting for the outcome of {left:,} of {look.step_sent:,} in this step.")
    return Decision("go")
