"""References, and schemas that contain themselves."""

from tests.schemas.compatibility.vocabulary import D7, INT, KIND_A, KIND_B, NUM, REF, STR, Pair, defs, obj

REFERENCES: list[Pair] = [
    ("a reference instead of the schema", obj(a=STR), defs(obj(a=REF), x=STR), []),
    ("the schema instead of a reference", defs(obj(a=REF), x=STR), obj(a=STR), []),
    (
        "what is referred to is wider",
        defs(obj(a=REF), x=INT),
        defs(obj(a=REF), x=NUM),
        ["+type_extended $.a"],
    ),
    (
        "what is referred to is narrower",
        defs(obj(a=REF), x=NUM),
        defs(obj(a=REF), x=INT),
        ["-type_narrowed $.a"],
    ),
    (
        "the definition has another name",
        defs(obj(a=REF), x=STR),
        {**obj(a={"$ref": "#/definitions/y"}), "definitions": {"y": STR}},
        [],
    ),
    ("an unused definition says nothing", defs(obj(a=STR), x=STR), defs(obj(a=STR), x=INT), []),
    (
        "a keyword beside a reference counts",
        defs(obj(a=REF), x=STR),
        defs(obj(a={**REF, "maxLength": 3}), x=STR),
        ["-max_length_added $.a"],
    ),
    (
        "draft 7: a keyword beside a reference does not",
        {**D7, **defs(obj(a=REF), x=STR)},
        {**D7, **defs(obj(a={**REF, "maxLength": 3}), x=STR)},
        [],
    ),
    (
        "an anchor",
        obj(a=STR),
        {**obj(a={"$ref": "#word"}), "$defs": {"x": {"$anchor": "word", "type": "string"}}},
        [],
    ),
    (
        "an address of its own",
        obj(a=STR),
        {
            "$id": "https://shop.example/o",
            **obj(a={"$ref": "text"}),
            "$defs": {"x": {"$id": "text", "type": "string"}},
        },
        [],
    ),
    ("a tree of itself", defs(REF, x=obj(next=REF, value=INT)), defs(REF, x=obj(next=REF, value=INT)), []),
    (
        "a tree of itself gets wider",
        defs(REF, x=obj(next=REF, value=INT)),
        defs(REF, x=obj(next=REF, value=NUM)),
        ["+type_extended $.value"],
    ),
    (
        "a tree of itself gets narrower",
        defs(REF, x=obj(next=REF, value=NUM)),
        defs(REF, x=obj(next=REF, value=INT)),
        ["-type_narrowed $.value"],
    ),
    (
        "the root refers to itself",
        {**obj(child={"$ref": "#"}, n=INT)},
        {**obj(child={"$ref": "#"}, n=STR)},
        ["-type_changed $.n"],
    ),
    ("a reference to nothing", obj(a=STR), obj(a={"$ref": "#/$defs/none"}), ["-cannot_be_compared $"]),
    (
        "a reference to elsewhere",
        obj(a=STR),
        obj(a={"$ref": "https://example.org/x"}),
        ["-cannot_be_compared $"],
    ),
    (
        "a name with a slash",
        defs(obj(a={"$ref": "#/$defs/a~1b"}), **{"a/b": INT}),
        defs(obj(a={"$ref": "#/$defs/a~1b"}), **{"a/b": STR}),
        ["-type_changed $.a"],
    ),
    (
        "closed over its parts",
        {"allOf": [obj(a=STR)], "unevaluatedProperties": False},
        {"allOf": [obj(a=STR)], "unevaluatedProperties": False, "properties": {"b": STR}},
        ["+optional_property_added_to_unopen_content_model $.b"],
    ),
    (
        "closed over its parts now",
        {"allOf": [obj(a=STR)]},
        {"allOf": [obj(a=STR)], "unevaluatedProperties": False},
        ["-additional_properties_removed $.*"],
    ),
    (
        "closed over alternatives, and the same",
        {"oneOf": [KIND_A, KIND_B], "unevaluatedProperties": False},
        {"oneOf": [KIND_A, KIND_B], "unevaluatedProperties": False},
        [],
    ),
]
