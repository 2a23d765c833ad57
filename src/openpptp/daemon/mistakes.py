"""Turn what pydantic found into one line per mistake: key, what is wrong, value, remedy."""

import difflib
import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

WRONG_TYPE = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text in quotes",
    "path_type": "must be a path in quotes",
    "tuple_type": "must be a list in [ ]",
    "model_type": "must be a section",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with a settings file."""

    key: str
    "Section and key, as auth.methods."
    what: str
    remedy: str
    got: str = ""
    "The value, as the file writes it."
    place: str = ""
    "Which element of a list, as [2]; counted from 1."
    involves: tuple[str, ...] = ()
    "For contradictions: the keys that must be readable for this to be worth saying."

    def __str__(self) -> str:
        """Give the line a person reads, without the file's name."""
        got = f" (got {self.got})" if self.got else ""
        return f"{self.key}{self.place}: {self.what}{got}; {self.remedy}"


def mistakes_of(error: ValidationError, model: type[BaseModel]) -> list[Mistake]:
    """Return every mistake in the order of the sections, in our words."""
    found = [_mistake(details, model) for details in error.errors(include_url=False)]
    inside = {mistake.key for mistake in found if mistake.place}
    # A list whose elements are all wrong is reported as too short as well: its elements say enough.
    return [mistake for mistake in found if mistake.place or mistake.key not in inside]


def line_of(text: str, key: str) -> str:
    """Return where a key, as auth.methods, or at least its section stands in a TOML file, as ":7"; empty otherwise.

    tomllib does not tell; what is looked for are the ways people write settings, a section's head and a key below it.
    """
    wanted, _, name = key.partition(".")
    section, section_line = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(r"\s*\[\s*\"?([\w-]+)\"?\s*\]", line)
        if head is not None:
            section = head[1]
            section_line = f":{number}" if section == wanted else section_line
        found = re.match(r"\s*\"?([\w-]+)\"?\s*(?:\.\s*\"?([\w-]+)\"?\s*)?=", line)
        parts = tuple(part for part in found.groups() if part) if found is not None else ()
        here = (section, *parts) if section else parts
        if here == ((wanted, name) if name else (wanted,)):
            return f":{number}"
    return section_line


def toml_value(value: Any) -> str:
    """Write a value as TOML does: JSON's notation for text, numbers, flags and lists is TOML's too."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml_key(key)} = {toml_value(part)}" for key, part in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False, default=str)


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def _mistake(details: ErrorDetails, model: type[BaseModel]) -> Mistake:
    names = [str(part) for part in details["loc"] if isinstance(part, str)]
    key = ".".join(names[:2])
    place = "".join(f"[{part + 1}]" for part in details["loc"] if isinstance(part, int))
    got = "" if details["type"] in {"missing", "extra_forbidden"} else _shown(details["input"])
    what, remedy = _words(details, names, model)
    return Mistake(key, what, remedy, got=got, place=place)


def _shown(value: Any) -> str:
    return "a section" if isinstance(value, dict) else toml_value(value)


def _words(details: ErrorDetails, names: list[str], model: type[BaseModel]) -> tuple[str, str]:
    kind, context = details["type"], details.get("ctx", {})
    match kind:
        case "mistake":
            return str(context["what"]), str(context["remedy"])
        case "extra_forbidden":
            return _unknown(names, details["input"], model)
        case "missing":
            what = "required, but missing"
        case "greater_than_equal":
            what = f"must be at least {context['ge']:.10g}"
        case "less_than_equal":
            what = f"must be at most {context['le']:.10g}"
        case "enum" | "literal_error":
            what = f"must be {context['expected'].replace(chr(39), chr(34))}"
        case "too_long" | "string_too_long":
            what = f"must have at most {context['max_length']} entries or characters"
        case _:
            what = WRONG_TYPE.get(kind, details["msg"])
    return what, f"write for example: {_example(names, model)}"


def _unknown(names: list[str], value: Any, model: type[BaseModel]) -> tuple[str, str]:
    """Name the nearest known section or key; a key of another section is found there."""
    sections = _sections(model)
    if len(names) == 1 and isinstance(value, dict):
        return "unknown section", _nearest(names[0], list(sections), "[{}]")
    if len(names) == 1:
        homes = [f"[{section}]" for section, fields in sections.items() if names[0] in fields]
        return "stands outside any section", f"it belongs to section {homes[0]}" if homes else "remove it"
    section, key = names[0], names[1]
    for other, fields in sections.items():
        if other != section and key in fields and not difflib.get_close_matches(key, sections[section], 1, 0.75):
            return "unknown key", f"it belongs to section [{other}]"
    return "unknown key", _nearest(key, sections[section], "{}")


def _nearest(name: str, known: list[str], shape: str) -> str:
    close = difflib.get_close_matches(name, known, 1, 0.5)
    if close:
        return f"did you mean {shape.format(close[0])}?"
    return f"known are {', '.join(shape.format(k) for k in known)}"


def _sections(model: type[BaseModel]) -> dict[str, list[str]]:
    return {name: list(section_model(model, name).model_fields) for name in model.model_fields}


def section_model(model: type[BaseModel], name: str) -> type[BaseModel]:
    """Return the model of one section."""
    section = model.model_fields[name].annotation
    assert isinstance(section, type)
    assert issubclass(section, BaseModel)
    return section


def _example(names: list[str], model: type[BaseModel]) -> str:
    if len(names) == 1:
        section = section_model(model, names[0])
        key = next(iter(section.model_fields))
        return f"[{names[0]}] with {_example([names[0], key], model)} on the next line"
    field = section_model(model, names[0]).model_fields[names[1]]
    value = field.examples[0] if field.examples else field.default
    return f"{names[1]} = {toml_value(plain(value))}"


def plain(value: Any) -> Any:
    """Return a default as TOML could hold it."""
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return getattr(value, "value", value)
