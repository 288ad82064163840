"""How much is tried: little in `make test`, ``FUZZ=200000`` inputs in all with `make fuzz`."""

import os
from datetime import timedelta

from hypothesis import HealthCheck, Phase, settings

# Inputs of the long form over all targets of tests/fuzz; 0: the short form.
WANTED = int(os.environ.get("FUZZ", "0"))
# What takes longer than this for one input is a hang.
HANG = timedelta(seconds=20)
counted: dict[str, int] = {}


def examples(short: int, share: float) -> settings:
    """Settings of a property: `short` examples, or its share of what is wanted."""
    return settings(
        max_examples=max(short, int(WANTED * share)),
        deadline=HANG,
        database=None,
        derandomize=not WANTED,
        phases=(Phase.explicit, Phase.generate, Phase.shrink) if WANTED else tuple(Phase),
        suppress_health_check=list(HealthCheck),
    )


def count(target: str) -> None:
    """Note that an input was tried."""
    counted[target] = counted.get(target, 0) + 1
