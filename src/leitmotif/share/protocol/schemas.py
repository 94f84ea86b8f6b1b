"""JSON schemas and annotated examples of what is read and written, from the code that reads it.

The docstring below a field becomes its description, so that an editor shows it, and the comment
above the field in an example.
"""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

_WIDTH = 88
_PLAIN = re.compile(r"(?!(true|false|null|yes|no)$)[A-Za-z_][\w./-]*( [\w./-]+)*")
"""Text that YAML reads as text without quotes."""


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a class of settings or rows, with what its fields mean."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    for described in {model, *_classes(model)}:
        entry = schema if described is model else definitions.get(described.__name__, {})
        for name, text in field_docs(described).items():
            if name in entry.get("properties", {}):
                entry["properties"][name]["description"] = text
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """What the docstring below each field of a class says, in one line, without mark-up."""
    docs = {}
    for base in reversed(model.__mro__):
        if not issubclass(base, BaseModel) or base.__module__.startswith("pydantic"):
            continue
        try:
            source = textwrap.dedent(inspect.getsource(base))
        except (OSError, TypeError):
            continue  # a class that was made while the program runs
        (definition,) = ast.parse(source).body
        assert isinstance(definition, ast.ClassDef)
        for field, below in zip(definition.body, definition.body[1:], strict=False):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str() as text)),
                ):
                    docs[name] = " ".join(inspect.cleandoc(text).replace("``", "`").split())
    return docs


def annotated(model: type[BaseModel], value: Mapping[str, Any]) -> str:
    """A value of a class as YAML, with what each field means in a comment above it."""
    schema = schema_of(model)
    return "\n".join(_mapping(value, schema, schema)) + "\n"


def _classes(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The classes of which the fields of a class are made."""
    for field in model.model_fields.values():
        for mentioned in _mentioned(field.annotation):
            yield mentioned
            yield from _classes(mentioned)


def _mentioned(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _mentioned(part)


def _mapping(
    value: Mapping[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any]
) -> Iterator[str]:
    properties = schema.get("properties", {})
    for key in sorted(value, key=[*properties, *value].index):
        inner = value[key]
        field = properties.get(key, {})
        if text := field.get("description"):
            yield from textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")
        below = _resolved(field, inner, root)
        match inner:
            case {} if inner:
                yield f"{key}:"
                yield from (f"  {line}" for line in _mapping(inner, below, root))
            case [{}, *_]:
                yield f"{key}:"
                for item in inner:
                    of_item = _resolved(below.get("items", {}), item, root)
                    dash = "- "  # before the first key, below what is said of it
                    for line in _mapping(item, of_item, root):
                        yield f"  {line}" if dash == "- " and line[0] == "#" else f"  {dash}{line}"
                        dash = dash if line[0] == "#" else "  "
            case _:
                yield f"{key}: {_scalar(inner)}"


def _resolved(
    schema: Mapping[str, Any], value: object, root: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The part of a schema that describes a value, references and alternatives seen through."""
    if "$ref" in schema:
        return _resolved(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], value, root)
    for choice in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        resolved = _resolved(choice, value, root)
        properties = resolved.get("properties", {})
        if isinstance(value, Mapping) and value.keys() <= properties.keys():
            return resolved
        if isinstance(value, list) and resolved.get("type") == "array":
            return resolved
    if isinstance(schema.get("additionalProperties"), Mapping) and isinstance(value, Mapping):
        return {"properties": dict.fromkeys(value, schema["additionalProperties"])}
    return schema


def _scalar(value: object) -> str:
    """A value as YAML writes it: JSON, and plain words without quotes."""
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)
