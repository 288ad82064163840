#!/usr/bin/env python
"""Django's command line for EventHub."""

import os
import sys
from pathlib import Path

OWN_PYTHON = Path(__file__).resolve().parent / ".venv" / "bin" / "python"


def main() -> None:
    """Run a management command, with the environment that `make` built when this Python has no Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventhub.settings")
    try:
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError:
        if not OWN_PYTHON.exists() or Path(sys.prefix) == OWN_PYTHON.parent.parent:
            sys.exit(
                "Django is not installed here. `make run` or `make test` builds .venv with everything needed."
            )
        os.execv(OWN_PYTHON, [str(OWN_PYTHON), *sys.argv])  # noqa: S606 - our own interpreter
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
