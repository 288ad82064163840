"""One savepoint after the other in one transaction, for the pieces of work that share it.

What ``transaction.atomic`` does for one piece takes two round trips to the database, and a piece is mostly as short as
one of them. Here the savepoint of a piece is let go of and that of the next is set in the same one.
"""

from django.db import connection


class Savepoints:
    """The savepoints of one transaction that has begun. For each piece: `begin`, then `keep` or `undo`."""

    def __init__(self) -> None:
        self._number = 0
        self._is_set = False
        self._depth = 0

    def begin(self) -> None:
        """What is done from here on is one piece."""
        if not self._is_set:
            _execute(f"SAVEPOINT {self._name}")
            self._is_set = True
        self._depth = len(connection.savepoint_ids)
        # What the piece wants to happen on commit is known by this as its own.
        connection.savepoint_ids.append(self._name)

    def keep(self) -> None:
        """The piece is done. Raises django.db.Error when it left the transaction broken; then undo it."""
        before = self._name
        _execute(f"RELEASE SAVEPOINT {before}; SAVEPOINT piece_{self._number + 1}")
        self._number += 1
        self.leave()

    def undo(self) -> None:
        """Nothing of the piece has happened. Raises django.db.Error when the connection is no good any more."""
        self.leave()
        connection.needs_rollback = False  # or Django refuses the statement
        _execute(f"ROLLBACK TO SAVEPOINT {self._name}")
        connection.run_on_commit = [wish for wish in connection.run_on_commit if self._name not in wish[0]]

    def leave(self) -> None:
        """Have Django forget what was begun and not ended inside the piece, in whatever way it was left."""
        del connection.savepoint_ids[self._depth :]

    @property
    def _name(self) -> str:
        return f"piece_{self._number}"


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
