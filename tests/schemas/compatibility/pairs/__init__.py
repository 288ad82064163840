"""Pairs of schemas, and what stands between events of the first and consumers of the second.

A pair is (what it is about, old, new, expected); expected is a list of "+kind path" (compatible) and "-kind path"
(breaks), in any order. Written from the rules that docs/schemas.md states.
"""

from tests.schemas.compatibility.pairs.bounds import NUMBERS, TEXTS
from tests.schemas.compatibility.pairs.combined import COMBINED
from tests.schemas.compatibility.pairs.dependencies import DEPENDENCIES
from tests.schemas.compatibility.pairs.lists import LISTS
from tests.schemas.compatibility.pairs.objects import OBJECTS
from tests.schemas.compatibility.pairs.references import REFERENCES
from tests.schemas.compatibility.pairs.values import TYPES, VALUES

PAIRS = [*TYPES, *VALUES, *NUMBERS, *TEXTS, *LISTS, *OBJECTS, *DEPENDENCIES, *COMBINED, *REFERENCES]
