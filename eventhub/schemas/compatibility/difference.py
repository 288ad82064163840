"""One difference between two schemas, and the place where it is."""

import msgspec


class Difference(msgspec.Struct, frozen=True, order=True):
    """What the reader's schema says differently from the writer's."""

    # Where in an event's data: ``$.items[*].qty``.
    path: str
    # What changed, in the words of Confluent's registry where it has one: ``required_attribute_added``.
    kind: str
    # Whether everything that the writer's schema allows can still be read.
    is_compatible: bool
    # One sentence for the schema's author.
    words: str
    # Where in the reader's schema: ``#/properties/items/items/properties/qty``.
    pointer: str


class Place(msgspec.Struct, frozen=True):
    """A place in an event's data and in the schema that describes it."""

    path: str = "$"
    pointer: str = "#"

    def property(self, name: str) -> "Place":
        """A member of the object here."""
        plain = name.replace("_", "a").isalnum() and name.isascii()
        step = f".{name}" if plain else f"[{msgspec.json.encode(name).decode()}]"
        return Place(self.path + step, f"{self.pointer}/properties/{escaped(name)}")

    def other_properties(self, keyword: str = "additionalProperties") -> "Place":
        """The members that have no schema of their own."""
        return Place(f"{self.path}.*", f"{self.pointer}/{keyword}")

    def matching(self, pattern: str) -> "Place":
        """The members whose names match a pattern."""
        return Place(f"{self.path}[/{pattern}/]", f"{self.pointer}/patternProperties/{escaped(pattern)}")

    def item(self, position: int) -> "Place":
        """The item at a position of a tuple."""
        return Place(f"{self.path}[{position}]", f"{self.pointer}/prefixItems/{position}")

    def items(self) -> "Place":
        """Every item of the list, or every one after the tuple."""
        return Place(f"{self.path}[*]", f"{self.pointer}/items")

    def under(self, keyword: str, *steps: object) -> "Place":
        """The same place of the data, seen by a schema within the schema."""
        return Place(self.path, "/".join((self.pointer, keyword, *(escaped(str(step)) for step in steps))))


def escaped(step: str) -> str:
    """A name as a step of a JSON pointer."""
    return step.replace("~", "~0").replace("/", "~1")
