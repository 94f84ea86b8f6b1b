"""All classes of rows that there are, and an example of each, made from its schema."""

import importlib.util
import pkgutil
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import leitmotif
from leitmotif.tables.base import Table

_TEXTS = ("a", "a" * 16, "a" * 32, "a" * 40, "a" * 64)
"""One of them matches the pattern of any text."""
SITE = "layers.0.residual"
"""A text that no pattern describes."""
_BEYOND_SCHEMA = {"Proposal": {"recurrence": {"start_sample": 90_000, "samples": 1}}}
"""Fields whose rules no schema has, by the class."""


def row_classes() -> dict[str, type[BaseModel]]:
    """Every class of rows by its name, whether or not a test knows of it.

    Rows are the classes of the room ``tables``, and what other modules derive from ``Table``.
    """
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(leitmotif.__path__, "leitmotif.")
        if "(Table)" in _source_of(module)
    ]
    return {
        value.__name__: value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, BaseModel)
        and value.__module__ == module.__name__
        and value is not Table
    }


def _source_of(module: pkgutil.ModuleInfo) -> str:
    spec = importlib.util.find_spec(module.name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")


def row_example(model: type[BaseModel]) -> dict[str, Any]:
    """A row of a class, as JSON has it."""
    made = value_of(model.model_json_schema(mode="validation"))
    return {**made, **_BEYOND_SCHEMA.get(model.__name__, {})}


def value_of(schema: Mapping[str, Any], defs: Mapping[str, Any] | None = None) -> Any:  # noqa: PLR0911
    """A value that a JSON schema of pydantic allows, without null where it may have one."""
    defs = schema.get("$defs", {}) if defs is None else defs
    match schema:
        case {"$ref": name}:
            return value_of(defs[name.rsplit("/", 1)[1]], defs)
        case {"const": value} | {"enum": [value, *_]}:
            return value
        case {"anyOf": kinds} | {"oneOf": kinds}:
            return value_of(kinds[0], defs)
        case {"type": "object"}:
            fields = schema.get("properties", {}).items()
            return {name: SITE if name == "site" else value_of(of, defs) for name, of in fields}
        case {"type": "array"}:
            items = schema.get("prefixItems") or [schema["items"]] * schema.get("minItems", 1)
            return [value_of(of, defs) for of in items]
        case {"type": "string", "format": "date-time"}:
            return "2026-01-01T00:00:00Z"
        case {"type": "string"}:
            pattern = schema.get("pattern", "")
            return next(text for text in _TEXTS if re.search(pattern, text))
        case {"type": "boolean"}:
            return True
        case {"type": "integer" | "number"}:
            least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
            more = schema["type"] == "integer" and "exclusiveMinimum" in schema
            return least + 1 if more else least + (0.5 if "exclusiveMinimum" in schema else 0)
        case _:
            return {}
