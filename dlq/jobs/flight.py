"""A batch on its way to the broker."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from datetime import datetime

import msgspec

from dlq.jobs.batches import Posted
from dlq.jobs.sending import Parcel, Sent


class Flight(msgspec.Struct, frozen=True):
    """A batch that is being published: what, since when, and what the broker will say of it."""

    parcels: list[Parcel]
    begun_at: datetime
    result: "Future[Sent]"

    @property
    def destinations(self) -> dict[int, str]:
        """Where each goes, in words, by its retry."""
        return {parcel.retry_id: parcel.route.destination for parcel in self.parcels}

    def posted(self, confirmed: Iterable[int]) -> list[Posted]:
        """Those of them that the broker confirmed."""
        return posted(self.parcels, confirmed)


def posted(parcels: Sequence[Parcel], confirmed: Iterable[int]) -> list[Posted]:
    """Those of `parcels` whose retries the broker confirmed, as they are noted."""
    wanted = set(confirmed)
    return [
        Posted(parcel.retry_id, parcel.letter_id, parcel.route.destination)
        for parcel in parcels
        if parcel.retry_id in wanted
    ]
