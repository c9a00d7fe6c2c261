"""The page of settings: every environment variable, from the classes that read it."""

import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic_settings import BaseSettings

import devstack.settings
import intake.settings
import notifier.settings
import router.settings
import sla_monitor.settings

__all__ = ["page"]

type Json = dict[str, Any]

SETTINGS: Final[dict[str, type[BaseSettings]]] = {
    "intake": intake.settings.Settings,
    "router": router.settings.Settings,
    "sla-monitor": sla_monitor.settings.Settings,
    "notifier": notifier.settings.Settings,
    "premium": devstack.settings.Settings,
}
_ABOUT: Final = """\
# Settings

Generated from the code by `make docs`: change the `settings.py` that reads a variable instead.

Settings come from environment variables, and are read once, at the start. If one is wrong, the
program ends with exit code 2 and a line that names it. Secrets may also be files in `/run/secrets`
with the name of the variable.
"""
_HEAD: Final = "| variable | type | default | meaning |\n|---|---|---|---|\n"
_TYPES: Final = {
    ("string", None): "text",
    ("string", "password"): "text, secret",
    ("string", "path"): "path",
    ("string", "uri"): "URL",
    ("integer", None): "whole number",
    ("number", None): "number",
}
_DOC: Final = re.compile(r"\bdocs/([\w-]+)\.md\b")


def page() -> str:
    """Return the page: a table for each service, and one for the operator's command."""
    return _ABOUT + "".join(_section(name, settings) for name, settings in SETTINGS.items())


def _section(name: str, settings: type[BaseSettings]) -> str:
    schema = settings.model_json_schema()
    required = schema.get("required", [])
    prefix = settings.model_config.get("env_prefix", "")
    rows = [
        _row(f"{prefix}{field}".upper(), _resolved(about, schema), required=field in required)
        for field, about in schema["properties"].items()
    ]
    return f"\n## {name}\n\n{_HEAD}{''.join(rows)}"


def _resolved(about: Json, schema: Json) -> Json:
    """Add the schema of a named type to the setting that has this type."""
    named = schema["$defs"][about["$ref"].rpartition("/")[2]] if "$ref" in about else {}
    return {**named, **about}


def _row(variable: str, about: Json, *, required: bool) -> str:
    default = "required" if required else _default(about.get("default"))
    meaning = _DOC.sub(r"[\1](../\1.md)", " ".join(about["description"].split()))
    return f"| `{variable}` | {_type(about)} | {default} | {meaning} |\n"


def _default(value: object) -> str:
    return "" if value in {None, ""} else f"`{value}`"


def _type(about: Json) -> str:
    """Describe the allowed values as text; that a setting is optional follows from its default."""
    value = next((one for one in about.get("anyOf", ()) if one["type"] != "null"), about)
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    return ", ".join([_TYPES[value["type"], value.get("format")], *_bounds(value)])


def _bounds(value: Json) -> Iterator[str]:
    match value:
        case {"minimum": low, "maximum": high}:
            yield f"{low} to {high}"
        case {"minimum": low}:
            yield f"{low} or more"
        case {"exclusiveMinimum": low}:
            yield f"more than {low:g}"
        case {"minLength": length} if value.get("format") != "uri" and length > 1:
            yield f"{length} characters or more"
        case {"maxLength": length}:
            yield f"at most {length} characters"
        case _:
            pass
