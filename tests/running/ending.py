"""How long the end of a process may take."""

import os

WITHIN_S = 10.0


def allowed_s() -> float:
    """Ten seconds, of a machine whose processors are not waited for by others."""
    return WITHIN_S * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
