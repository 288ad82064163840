"""Whether readers of one version of a schema can read what writers of another write."""

from eventhub.schemas.compatibility.comparing import differences
from eventhub.schemas.compatibility.difference import Difference
from eventhub.schemas.compatibility.levels import Breach, Level, Verdict, judge

__all__ = ["Breach", "Difference", "Level", "Verdict", "differences", "judge"]
