"""What must be there where another member is."""

from tests.schemas.compatibility.vocabulary import D7, STR, Pair, obj

DEPENDENCIES: list[Pair] = [
    (
        "where a is, b must be",
        obj(a=STR, b=STR),
        {**obj(a=STR, b=STR), "dependentRequired": {"a": ["b"]}},
        ["-dependency_array_added $.a"],
    ),
    (
        "where a is, b always was",
        obj(["b"], a=STR, b=STR),
        {**obj(["b"], a=STR, b=STR), "dependentRequired": {"a": ["b"]}},
        ["+dependency_array_added $.a"],
    ),
    (
        "where a is, b need not be",
        {**obj(a=STR), "dependentRequired": {"a": ["b"]}},
        obj(a=STR),
        ["+dependency_array_removed $.a"],
    ),
    (
        "where a is, c must be too",
        {**obj(a=STR), "dependentRequired": {"a": ["b"]}},
        {**obj(a=STR), "dependentRequired": {"a": ["b", "c"]}},
        ["-dependency_array_extended $.a"],
    ),
    (
        "where a is, c need not be",
        {**obj(a=STR), "dependentRequired": {"a": ["b", "c"]}},
        {**obj(a=STR), "dependentRequired": {"a": ["b"]}},
        ["+dependency_array_narrowed $.a"],
    ),
    (
        "where a is, c instead of b",
        {**obj(a=STR), "dependentRequired": {"a": ["b"]}},
        {**obj(a=STR), "dependentRequired": {"a": ["c"]}},
        ["-dependency_array_changed $.a"],
    ),
    (
        "draft 7: where a is, b must be",
        {**D7, **obj(a=STR)},
        {**D7, **obj(a=STR), "dependencies": {"a": ["b"]}},
        ["-dependency_array_added $.a"],
    ),
    (
        "draft 7 and 2020-12 name it differently",
        {**D7, **obj(a=STR), "dependencies": {"a": ["b"]}},
        {**obj(a=STR), "dependentRequired": {"a": ["b"]}},
        [],
    ),
    (
        "where a is, more must hold",
        obj(a=STR, b=STR),
        {**obj(a=STR, b=STR), "dependentSchemas": {"a": {"required": ["b"]}}},
        ["-dependency_schema_added $.a", "-required_attribute_added $.b"],
    ),
    (
        "where a is, what always holds",
        obj(["b"], a=STR, b=STR),
        {**obj(["b"], a=STR, b=STR), "dependentSchemas": {"a": {"required": ["b"]}}},
        ["+dependency_schema_added $.a"],
    ),
    (
        "where a is, nothing more must hold",
        {**obj(a=STR), "dependentSchemas": {"a": {"required": ["b"]}}},
        obj(a=STR),
        ["+dependency_schema_removed $.a"],
    ),
    (
        "a cannot be, whatever depends on it",
        obj(closed=True, b=STR),
        {**obj(closed=True, b=STR), "dependentRequired": {"a": ["c"]}},
        ["+dependency_array_added $.a"],
    ),
]
