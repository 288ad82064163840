"""Run a command that ends with the process that started it: ``python -m eventhub.running.child PARENT COMMAND…``.

A supervisor that is killed outright cannot stop anything any more. On Linux the kernel does it for us: each process
asks for a SIGTERM on its parent's death before it becomes the command.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Have this process get SIGTERM when `parent`, which must be its parent, dies. Linux only; else nothing."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - the supervisor's own command
