"""Strategies: any schema, a small change of it, and what it allows."""

import copy

from hypothesis import strategies as st

NAMES = ["a", "b", "c", "x_1", "x_2"]
TEXTS = ["", "a", "ab", "abc", "x1", "2026-01-02", "zz zz"]
NUMBERS = [-3, -1, 0, 1, 2, 3, 4, 5, 6, 8, 10, 0.5, 1.5, 2.0, 12]
PATTERNS = ["^a", "b", "^x_", "^[a-z]+$"]
VALUES = [*TEXTS, *NUMBERS, None, True, False, [], {}, [1], {"a": 1}]

small = st.integers(0, 4)


def _maybe(draw, made, key, strategy, chance=4):
    if draw(st.integers(1, chance)) == 1:
        made[key] = draw(strategy)


@st.composite
def schemas(draw, depth=3):
    kind = draw(
        st.sampled_from(
            ["object"] * 5
            + [
                "array",
                "array",
                "string",
                "string",
                "integer",
                "number",
                "boolean",
                "null",
                "any",
                "enum",
                "const",
            ]
            + (
                ["anyOf", "oneOf", "allOf", "not", "if", "$ref", "true", "false", "types"]
                if depth > 0
                else []
            )
        )
    )
    maker = MAKERS.get(kind)
    return maker(draw, depth - 1) if maker else {"type": kind}


def _object(draw, depth):
    made = {"type": "object"}
    if depth >= 0:
        names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
        made["properties"] = {name: draw(schemas(depth)) for name in names}
        for name in names:
            part = made["properties"][name]
            if isinstance(part, dict) and draw(st.integers(1, 3)) == 1:
                part["default"] = draw(st.sampled_from(VALUES))
        _maybe(draw, made, "required", st.lists(st.sampled_from(names or NAMES), unique=True, max_size=2), 2)
        _maybe(
            draw, made, "additionalProperties", st.one_of(st.just(False), st.booleans(), schemas(depth)), 2
        )
        _maybe(
            draw,
            made,
            "patternProperties",
            st.dictionaries(st.sampled_from(PATTERNS), schemas(depth), max_size=2),
        )
        _maybe(
            draw,
            made,
            "propertyNames",
            st.sampled_from([{"maxLength": 2}, {"pattern": "^[a-z]"}, {"enum": NAMES}]),
            8,
        )
        _maybe(draw, made, "dependentRequired", st.just({names[0] if names else "a": ["b"]}), 8)
        _maybe(draw, made, "dependentSchemas", st.fixed_dictionaries({"a": schemas(depth)}), 8)
        _maybe(draw, made, "unevaluatedProperties", st.booleans(), 10)
    _maybe(draw, made, "minProperties", small, 8)
    _maybe(draw, made, "maxProperties", small, 8)
    return made


def _array(draw, depth):
    made = {"type": "array"}
    if depth >= 0:
        _maybe(draw, made, "items", schemas(depth), 2)
        _maybe(draw, made, "prefixItems", st.lists(schemas(depth), min_size=1, max_size=2), 3)
        _maybe(draw, made, "contains", schemas(depth), 8)
        if "contains" in made:
            _maybe(draw, made, "minContains", st.integers(0, 2), 3)
            _maybe(draw, made, "maxContains", st.integers(1, 3), 3)
    _maybe(draw, made, "minItems", st.integers(0, 2))
    _maybe(draw, made, "maxItems", st.integers(1, 4))
    _maybe(draw, made, "uniqueItems", st.booleans(), 6)
    return made


def _string(draw, depth):
    made = {"type": "string"}
    _maybe(draw, made, "minLength", st.integers(0, 2))
    _maybe(draw, made, "maxLength", st.integers(1, 5))
    _maybe(draw, made, "pattern", st.sampled_from(PATTERNS), 6)
    _maybe(draw, made, "format", st.sampled_from(["date", "int32"]), 8)
    return made


def _number(kind):
    def make(draw, depth):
        made = {"type": kind}
        _maybe(draw, made, "minimum", st.integers(-2, 3))
        _maybe(draw, made, "maximum", st.integers(2, 8))
        _maybe(draw, made, "exclusiveMinimum", st.integers(-2, 3), 6)
        _maybe(draw, made, "exclusiveMaximum", st.integers(2, 8), 6)
        _maybe(draw, made, "multipleOf", st.sampled_from([1, 2, 0.5, 4]), 6)
        return made

    return make


def _alternatives(keyword):
    def make(draw, depth):
        made = {keyword: draw(st.lists(schemas(depth), min_size=1, max_size=3))}
        if draw(st.booleans()):
            made = {**draw(schemas(0).filter(lambda one: isinstance(one, dict))), **made}
        return made

    return make


def _condition(draw, depth):
    return {"if": draw(schemas(depth)), "then": draw(schemas(depth)), "else": draw(schemas(depth))}


MAKERS = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _number("integer"),
    "number": _number("number"),
    "any": lambda draw, depth: {},
    "true": lambda draw, depth: True,
    "false": lambda draw, depth: False,
    "enum": lambda draw, depth: {
        "enum": draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3, unique=True))
    },
    "const": lambda draw, depth: {"const": draw(st.sampled_from(VALUES))},
    "types": lambda draw, depth: {
        "type": draw(
            st.lists(
                st.sampled_from(["string", "integer", "null", "number", "object"]),
                min_size=1,
                max_size=3,
                unique=True,
            )
        )
    },
    "anyOf": _alternatives("anyOf"),
    "oneOf": _alternatives("oneOf"),
    "allOf": _alternatives("allOf"),
    "not": lambda draw, depth: {"not": draw(schemas(depth))},
    "if": _condition,
    "$ref": lambda draw, depth: {"$ref": "#/$defs/" + draw(st.sampled_from(["one", "two"]))},
}


@st.composite
def documents(draw):
    """A whole schema, with what it may refer to."""
    made = draw(schemas(3).filter(lambda one: isinstance(one, dict)))
    return {**made, "$defs": {"one": draw(schemas(1)), "two": draw(schemas(1))}}


def _places(node, found):
    """Every dict within a schema, with every key that a change may touch."""
    if isinstance(node, dict):
        found.append(node)
        for value in node.values():
            _places(value, found)
    elif isinstance(node, list):
        for value in node:
            _places(value, found)
    return found


@st.composite
def changed(draw, document):
    """The schema after one to three small changes, as people make them."""
    made = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        node = draw(st.sampled_from(_places(made, [])))
        keys = sorted(node)
        if not keys:
            continue
        _change(draw, node, draw(st.sampled_from(keys)), made)
    return made


def _change(draw, node, key, document):
    value = node[key]
    removable = key not in ("$defs", "one", "two")
    way = draw(st.sampled_from(["drop", "widen", "other", "add"]))
    if way == "drop" and removable:
        del node[key]
    elif isinstance(value, bool):
        node[key] = not value
    elif isinstance(value, int | float):
        lower = key.startswith(("min", "exclusiveMin"))
        step = -1 if (way == "widen") == lower else 1
        node[key] = value + step if value + step > 0 or not key.startswith(("m", "multiple")) else value
        if key == "multipleOf" and node[key] <= 0:
            node[key] = 1
    elif key == "type" and way == "widen":
        types = value if isinstance(value, list) else [value]
        node[key] = list(dict.fromkeys([*types, draw(st.sampled_from(["null", "string", "number"]))]))
    elif key in ("anyOf", "oneOf", "allOf", "prefixItems") and isinstance(value, list):
        if way == "widen" or len(value) < 2:
            value.append(draw(schemas(0)))
        else:
            value.pop(draw(st.integers(0, len(value) - 1)))
    elif key in ("properties", "patternProperties") and isinstance(value, dict):
        names = NAMES if key == "properties" else PATTERNS
        value[draw(st.sampled_from(names))] = {
            **draw(schemas(0).filter(lambda s: isinstance(s, dict))),
            "default": draw(st.sampled_from(VALUES)),
        }
    elif key == "required" and isinstance(value, list):
        node[key] = list(dict.fromkeys([*value, draw(st.sampled_from(NAMES))]))
    elif key == "enum" and isinstance(value, list):
        node[key] = [*value, "new"] if way == "widen" else value[:1]


_LEAVES = {
    "string": st.sampled_from(TEXTS) | st.text("abxz19-", max_size=6),
    "integer": st.integers(-4, 14),
    "number": st.sampled_from(NUMBERS),
    "boolean": st.booleans(),
    "null": st.none(),
}
anything = st.recursive(
    st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def instances(draw, schema, document, depth=5):
    """A value that the schema probably allows."""
    if not isinstance(schema, dict) or depth < 0 or draw(st.integers(1, 12)) == 1:
        return draw(anything)
    if "$ref" in schema:
        return draw(instances(document["$defs"][schema["$ref"].rsplit("/", 1)[-1]], document, depth - 1))
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    for keyword in ("anyOf", "oneOf", "allOf"):
        if schema.get(keyword) and draw(st.booleans()):
            rest = {k: v for k, v in schema.items() if k != keyword}
            chosen = draw(st.sampled_from(schema[keyword]))
            merged = {**rest, **chosen} if isinstance(chosen, dict) else rest
            return draw(instances(merged, document, depth - 1))
    kinds = schema.get("type", ["object", "array", "string", "number", "integer", "null", "boolean"])
    kind = draw(st.sampled_from(kinds if isinstance(kinds, list) else [kinds]))
    if kind == "object":
        return _members(draw, schema, document, depth)
    if kind == "array":
        return _items(draw, schema, document, depth)
    return draw(_LEAVES[kind])


def _members(draw, schema, document, depth):
    properties = schema.get("properties", {})
    names = set(schema.get("required", ())) | {name for name in properties if draw(st.booleans())}
    if schema.get("additionalProperties") is not False or draw(st.integers(1, 6)) == 1:
        names |= set(draw(st.lists(st.sampled_from(NAMES), max_size=2)))
    others = schema.get("additionalProperties", True)
    made = {}
    for name in sorted(names):
        part = properties.get(name, others)
        made[name] = draw(instances(part, document, depth - 1))
    return made


def _items(draw, schema, document, depth):
    prefix, rest = schema.get("prefixItems", []), schema.get("items", True)
    length = draw(st.integers(schema.get("minItems", 0), max(schema.get("minItems", 0), 3)))
    if rest is False:
        length = min(length, len(prefix))
    return [
        draw(instances(prefix[n] if n < len(prefix) else rest, document, depth - 1)) for n in range(length)
    ]
