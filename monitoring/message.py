"""What open pages get once a second: the snapshot, and the tiles in words, so that words are found in one place."""

import msgspec

from monitoring.snapshot import Snapshot
from monitoring.tiles import tiles


def encode(snapshot: Snapshot) -> str:
    """The snapshot as JSON text, with `tiles` beside its own fields."""
    return msgspec.json.encode(msgspec.structs.asdict(snapshot) | {"tiles": tiles(snapshot)}).decode()
