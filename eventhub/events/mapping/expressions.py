"""The expressions of a mapping, checked and compiled once."""

import difflib
from collections.abc import Iterator
from typing import Any

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

# What an expression sees of a message: the parsed JSON of its body, and what the broker says about it.
ROOTS = ("body", "headers", "key", "topic", "partition", "offset", "timestamp", "properties")
FIELDS = (
    "event_id",
    "event_type",
    "event_version",
    "timestamp",
    "source",
    "correlation_id",
    "causation_id",
    "stream",
    "stream_version",
    "data",
    "metadata",
)
METADATA = "metadata."
MAX_EXPRESSION_CHARS = 1_000
MAX_METADATA_FIELDS = 100
# What reading an expression, or evaluating it on whatever a message holds, can raise.
FAILURES = (
    JMESPathError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
)

_FUNCTIONS: dict[str, dict[str, Any]] = Functions.FUNCTION_TABLE
# Of these only the first part looks at the message; the others look at what it gave.
_CHAINS = frozenset(
    (
        "subexpression",
        "index_expression",
        "pipe",
        "projection",
        "value_projection",
        "filter_projection",
        "flatten",
    )
)


class BadMapping(ValueError):
    """The mapping cannot be used. The text names the field and the expression, and says what to do."""


class Expression(msgspec.Struct, frozen=True):
    """One field's expression."""

    field: str
    text: str
    compiled: Any
    # The names from the root down to the value, where the expression is nothing but a path: ("body", "order", "id").
    names: tuple[str, ...] | None

    @property
    def path(self) -> tuple[str, ...] | None:
        """The names below the body, where it is a path in the body and nothing else."""
        return self.names[1:] if self.names and self.names[0] == "body" else None

    def evaluate(self, seen: dict[str, Any]) -> Any:
        """What it gives for a message, as plain JSON data. Raises one of `FAILURES`."""
        if self.names is None:
            return self.compiled.search(seen)
        # As JMESPath has it, in a fraction of the time; most expressions are paths.
        value: Any = seen
        for name in self.names:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return value


class Proposal(msgspec.Struct, frozen=True):
    """One field's expression, how sure it is (0 to 1), and why, in a sentence."""

    field: str
    expression: str
    confidence: float
    why: str


class Mapping(msgspec.Struct, frozen=True):
    """Expressions by the envelope's fields; false when there are none."""

    fields: dict[str, Expression] = {}
    # By the name in the metadata, without "metadata.".
    metadata: dict[str, Expression] = {}

    def __bool__(self) -> bool:
        return bool(self.fields)


def parse(value: object) -> Mapping:
    """The mapping in a source's `mapping` field: an object of expressions by field names. Raises BadMapping."""
    if not isinstance(value, dict):
        raise BadMapping(
            'A mapping is a JSON object with an expression for each field, e.g. {"event_type": "body.type"}.'
        )
    fields: dict[str, Expression] = {}
    metadata: dict[str, Expression] = {}
    for name, text in value.items():
        if not isinstance(text, str) or not text.strip():
            if text in (None, ""):
                continue  # a form sends what was left empty
            raise BadMapping(f'{name}: an expression is a text, e.g. "body.type"; this is {_named(text)}.')
        if name.startswith(METADATA) and len(name) > len(METADATA):
            metadata[name.removeprefix(METADATA)] = _expression(name, text.strip())
        elif name in FIELDS:
            fields[name] = _expression(name, text.strip())
        else:
            raise BadMapping(_unknown_field(name))
    if (fields or metadata) and "event_type" not in fields:
        raise BadMapping(
            "event_type: every event has a type. Say where it stands, e.g. body.type, or give it as a text in single "
            "quotes: 'order.placed'."
        )
    if len(metadata) > MAX_METADATA_FIELDS:
        raise BadMapping(
            f"A mapping has at most {MAX_METADATA_FIELDS} metadata fields; this has {len(metadata)}."
        )
    return Mapping(fields, metadata)


def _expression(field: str, text: str) -> Expression:
    if len(text) > MAX_EXPRESSION_CHARS:
        raise BadMapping(
            f"{field}: the expression has {len(text):,} characters; at most {MAX_EXPRESSION_CHARS:,} are allowed."
        )
    try:
        compiled = jmespath.compile(text)
        tree: Any = compiled.parsed
        _check_functions(field, text, tree)
        for root in _roots(tree):
            if root not in ROOTS:
                raise BadMapping(_unknown_root(field, text, root))
        return Expression(field, text, compiled, _names(tree))
    except BadMapping:
        raise
    except FAILURES as error:
        raise BadMapping(f"{field}: {text[:200]!r} is not a JMESPath expression. {_where(error)}") from None


def _roots(tree: dict[str, Any]) -> Iterator[str]:
    """The names that an expression looks up in the message itself."""
    kind, children = tree["type"], tree["children"]
    if kind == "field":
        yield tree["value"]
    elif kind in _CHAINS:
        yield from _roots(children[0])
    elif kind not in {"expref", "slice"}:
        for child in children:
            yield from _roots(child)


def _check_functions(field: str, text: str, tree: dict[str, Any]) -> None:
    """JMESPath itself finds a function's name and number of arguments wrong only when it evaluates."""
    children = [child for child in tree["children"] if isinstance(child, dict)]
    if tree["type"] == "function_expression":
        name = tree["value"]
        known = _FUNCTIONS.get(name)
        if known is None:
            near = difflib.get_close_matches(name, _FUNCTIONS, 1)
            hint = f"Did you mean {near[0]}()?" if near else f"There are: {', '.join(sorted(_FUNCTIONS))}."
            raise BadMapping(f"{field}: {text!r} calls {name}(), which JMESPath does not have. {hint}")
        wanted = len(known["signature"])
        is_variadic = wanted and known["signature"][-1].get("variadic")
        if len(children) < wanted or (len(children) > wanted and not is_variadic):
            raise BadMapping(
                f"{field}: {text!r} gives {name}() {len(children)} arguments; it takes "
                f"{'at least ' if is_variadic else ''}{wanted}."
            )
    for child in children:
        _check_functions(field, text, child)


def _names(tree: dict[str, Any]) -> tuple[str, ...] | None:
    """The names of an expression that is ``topic``, ``body.a.b`` or the like, and nothing else."""
    names: list[str] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        if node["type"] == "subexpression":
            stack += reversed(node["children"])
        elif node["type"] == "field":
            names.append(node["value"])
        else:
            return None
    return tuple(names)


def _unknown_field(name: str) -> str:
    near = difflib.get_close_matches(name, FIELDS, 1)
    hint = f"Did you mean {near[0]}? " if near else ""
    return f"{name!r} is not a field of an event. {hint}There are: {', '.join(FIELDS)}, and metadata.NAME for more."


def _unknown_root(field: str, text: str, root: str) -> str:
    return (
        f"{field}: {text!r} begins with {root!r}, which a message does not have. It has: {', '.join(ROOTS)}. "
        f"For a field of the body write body.{root}; for a fixed text write it in single quotes: '{root}'."
    )


def _where(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "It is nested too deeply."
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return first_line if first_line.endswith(".") else f"{first_line}."


def _named(value: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", dict: "an object", list: "an array"}
    return names.get(type(value), "something else")
