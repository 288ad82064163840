"""A projection of what each account holds, declared for as long as a test needs it."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from django.db import connection

from eventhub.sourcing.projecting import declaring, projection
from eventhub.sourcing.projecting.declaring import Declared


class Row(msgspec.Struct):
    account: str
    total: int = 0


@contextmanager
def balances_declared() -> Iterator[Declared]:
    """The projection `balances` of ``account.*``; its tables are gone afterwards."""

    class Balances:
        """What each account holds."""

        def key(self, event):
            return event.stream

        def fold(self, row, event):
            row = row or Row(event.stream)
            row.total += event.value["amount"]
            return row

    Balances.Row = Row
    projection("balances", "account.*")(Balances)
    try:
        yield declaring._declared["balances"]
    finally:
        del declaring._declared["balances"]
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS projection_balances, projection_balances__next")
