"""The settings in words: the commented file of a first run and the page in docs, both from the model itself."""

import re
import textwrap
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from openpptp.credentials import AuthMethod
from openpptp.daemon.config import DEFAULT_PATH, Settings
from openpptp.daemon.mistakes import plain, section_model, toml_value

Values = Mapping[tuple[str, str], Any]
"Section and key to the value to write."


def settings_file(values: Values) -> str:
    """Return a settings file in which each key is explained; keys not in values stand as comments with the default."""
    return (
        "# Settings of OpenPPTP. A line that begins with # is a comment: remove the # to set something else.\n"
        "# Check the file with: sudo openpptp serve --check\n" + sections_file(Settings, values)
    )


def sections_file(settings: type[BaseModel], values: Values) -> str:
    """Return the explained sections of settings, as settings_file does."""
    parts = []
    for section in settings.model_fields:
        model = section_model(settings, section)
        parts.append(f"\n# {_first_sentence(model.__doc__)}\n[{section}]\n")
        for key, field in model.model_fields.items():
            parts.append(_entry(key, field, values.get((section, key))))
    return "".join(parts)


def _entry(key: str, field: FieldInfo, value: Any) -> str:
    comment = textwrap.fill(
        field.description or "", 116, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
    if value is not None:
        return f"{comment}\n{key} = {toml_value(plain(value))}\n\n"
    if field.examples:
        return f"{comment} For example:\n#{key} = {toml_value(field.examples[0])}\n\n"
    return f"{comment}\n#{key} = {toml_value(plain(field.default))}\n\n"


def settings_page() -> str:
    """Return docs/settings.md."""
    head = (
        "# Settings\n\n"
        "<!-- Made by `python -m openpptp.daemon.settings_text` from the settings themselves; do not edit. -->\n\n"
        f"One TOML file, by default `{DEFAULT_PATH}`. Every key has a safe default; only `network.pool` is required.\n"
        "An unknown key is an error. `openpptp serve --check` names all mistakes at once.\n"
    )
    return head + sections_page(Settings)


def sections_page(settings: type[BaseModel], *, heading: str = "##") -> str:
    """Return a table of keys for each section of settings."""
    parts = []
    for section in settings.model_fields:
        model = section_model(settings, section)
        parts.append(
            f"\n{heading} [{section}]\n\n{_first_sentence(model.__doc__)}\n\n"
            "| key | values | default | meaning |\n|---|---|---|---|\n"
        )
        for key, field in model.model_fields.items():
            description = (field.description or "").replace("|", "\\|")
            parts.append(f"| `{key}` | {_kind(field)} | {_default(field)} | {description} |\n")
    return "".join(parts)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "none" if field.default is None else f"`{toml_value(plain(field.default))}`"


def _kind(field: FieldInfo) -> str:
    """Say in words what values a key takes."""
    annotation = field.annotation
    if get_origin(annotation) is dict:
        return "address ranges by name"
    many = get_origin(annotation) is tuple
    if many:
        annotation = get_args(annotation)[0]
    limits = {name: getattr(item, name) for item in field.metadata for name in ("ge", "le") if hasattr(item, name)}
    kind = _one(annotation, many=many)
    if {"ge", "le"} <= limits.keys():
        kind = f"{kind} {limits['ge']:.10g} to {limits['le']:.10g}"
    return f"list of {kind}" if many else kind


def _one(annotation: Any, *, many: bool) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{toml_value(value)}`" for value in get_args(annotation))
    if annotation is AuthMethod:
        return ", ".join(f"`{toml_value(method.value)}`" for method in AuthMethod)
    text = str(annotation)
    return next((words[many] for name, words in KINDS.items() if re.search(rf"\b{name}\b", text)), "text")


KINDS = {
    "AddressRange": ("address range", "address ranges"),
    "IPv4Address": ("IPv4 address", "IPv4 addresses"),
    "IPv4Network": ("network", "networks"),
    "bool": ("`true` or `false`", "flags"),
    "int": ("whole number", "whole numbers"),
    "float": ("number", "numbers"),
    "Path": ("path", "paths"),
}
"Part of a type's name to words for one and for many."


def _first_sentence(docstring: str | None) -> str:
    return (docstring or "").strip().splitlines()[0]


if __name__ == "__main__":
    print(settings_page(), end="")  # noqa: T201 - the way docs/settings.md is made
