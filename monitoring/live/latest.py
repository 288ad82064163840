"""This process's copy of the newest snapshot, so that a thousand pages that open cost one."""

import threading
from time import monotonic

from django.db import connection

from monitoring.message import encode
from monitoring.snapshot import take

FRESH_FOR_S = 1.5

_lock = threading.Lock()
_text = ""
_noted_at = float("-inf")


def note(text: str) -> None:
    """Keep a snapshot that was published, as JSON text."""
    global _text, _noted_at
    _text, _noted_at = text, monotonic()


def newest() -> str:
    """The newest snapshot as JSON text; takes one where nothing was published just now. Blocks: asks the database."""
    with _lock:
        if monotonic() - _noted_at > FRESH_FOR_S:
            try:
                note(encode(take()))
            finally:
                connection.close()  # the thread that asks may never ask again
        return _text
