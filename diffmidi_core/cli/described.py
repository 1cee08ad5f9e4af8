"""What can be set of a part, as rows of words: for `diffmidi plugins show`, and for the pages of the docs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from diffmidi_core.errors import BrokenPluginError, DiffmidiError

if TYPE_CHECKING:
    from diffmidi_core.registry import Offer


def options_of(offer: Offer) -> list[tuple[str, str, str, str, str]]:
    """Name, type, default, bounds and description of every option of a part. Raises BrokenPluginError."""
    try:
        return fields_of(offer.load().options)
    except Exception as error:
        raise BrokenPluginError(
            f"the options of {offer.kind} '{offer.name}' of {offer.origin} cannot be described ({one_line(error)})."
        ) from error


def fields_of(model: type[BaseModel]) -> list[tuple[str, str, str, str, str]]:
    """The same of any pydantic model, such as a section of a run's config."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    return [
        (
            name,
            _type(field, definitions),
            json.dumps(field["default"], ensure_ascii=False).strip('"') if "default" in field else "",
            _bounds(field, definitions),
            field.get("description", ""),
        )
        for name, field in schema.get("properties", {}).items()
    ]


_TYPES = {
    "integer": "int",
    "number": "float",
    "string": "text",
    "boolean": "true | false",
    "null": "null",
    "object": "mapping",
}
_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "like {}",
}


def _type(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """A JSON schema's type in words; choices are spelled out."""
    field = _resolved(field, definitions)
    if "enum" in field or "const" in field:
        return " | ".join(str(choice) for choice in field.get("enum", [field.get("const")]))
    if "anyOf" in field:
        return " | ".join(_type(option, definitions) for option in field["anyOf"])
    if field.get("type") == "array":
        return f"list of {_type(field['items'], definitions)}" if "items" in field else "list"
    if field.get("format", "").endswith("path"):
        return "path"
    return _TYPES.get(field.get("type", ""), "any value")


def _bounds(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    field = _resolved(field, definitions)
    parts = [field, *(_resolved(option, definitions) for option in field.get("anyOf", ()))]
    return ", ".join(template.format(part[key]) for part in parts for key, template in _BOUNDS.items() if key in part)


def _resolved(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = field.get("$ref", "").removeprefix("#/$defs/")
    return {**definitions.get(reference, {}), **field} if reference else field


def one_line(error: Exception) -> str:
    """An error on one line, with its type where it is not a sentence for people."""
    text = " ".join(str(error).split())
    return text if isinstance(error, AssertionError | DiffmidiError) and text else f"{type(error).__name__}: {text}"
