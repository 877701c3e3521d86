"""What is wrong with a mandate file, in words that its author can act on: the line, the key, what was got, what is allowed, what to write."""

from __future__ import annotations

__all__ = ["explain", "line_of", "not_toml", "refusal"]

import bisect
import difflib
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from gammastar.errors import MandateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_TEMPLATE = "add it; gammastar init writes a commented template"

_TYPES = {
    "float_type": "a number is needed",
    "int_type": "a whole number is needed",
    "bool_type": "true or false is needed, without quotes",
    "string_type": "text in quotes is needed",
    "string_too_short": "the text is empty",
    "string_too_long": "the text is too long",
    "model_type": "a table is needed",
    "model_attributes_type": "a table is needed",
    "dict_type": "a table is needed",
    "too_short": "the table is empty",
    "tuple_type": "a list of tables is needed",
}
_OPTIONS = {"priority", "clause", "penalty_bp"}
_RANGES = {"less_than_equal", "less_than", "greater_than_equal", "greater_than", "finite_number"}
_CHOICES = {"literal_error", "enum", "union_tag_invalid", "union_tag_not_found"}


def refusal(
    what: str, *, key: str, got: object = None, allowed: str | None = None, advice: str | None = None
) -> PydanticCustomError:
    """Return what a validator raises about settings that do not go together.

    Args:
        what: is wrong.
        key: dotted, below what is checked: the setting to change; empty for the setting that is checked itself.
        got: the offending value.
        allowed: what would have been accepted.
        advice: what to do.
    """
    # pydantic fills braces in its template, so the words travel in the context
    return PydanticCustomError(
        "refusal", "{what}", {"what": what, "key": key, "got": got, "allowed": allowed, "advice": advice}
    )


@dataclass(frozen=True)
class _File:
    """A mandate file: where it is, its text, what TOML made of it, and the model of a whole file."""

    path: Path
    text: str
    data: Mapping[str, Any]
    model: type[BaseModel]


def explain(path: Path, text: str, model: type[BaseModel], error: ValidationError) -> MandateError:
    """Return the first thing that is wrong in five parts, and the keys of the others.

    Args:
        path: of the file.
        text: of the file, valid TOML.
        model: of a whole file.
        error: what `model` said of it.
    """
    file = _File(path, text, tomllib.loads(text), model)
    if not file.data:
        return MandateError(str(path), "the file is empty", advice="gammastar init writes a commented template")
    # a mistyped key also makes the right one missing: the typo is the thing to mend
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    what, got, allowed, advice = _told(file, problems[0])
    others = [_dotted(_keys(problem)) for problem in problems[1:] if not _follows(problem, problems[0])]
    if others:
        advice = "; then ".join(part for part in (advice, f"mend {', '.join(dict.fromkeys(others))}") if part)
    return MandateError(f"{path}, {_place(file, problems[0])}", what, got=got, allowed=allowed, advice=advice)


def not_toml(path: Path, text: str, error: tomllib.TOMLDecodeError) -> MandateError:
    """Return what TOML says of a file that it cannot read, with the line."""
    message = str(error)
    found = re.search(r" \(at line (\d+), column (\d+)\)", message)
    if found is None:
        return MandateError(str(path), f"this is not TOML: {message}", advice="mend the end of the file")
    number = int(found[1])
    what = message[: found.start()]
    what = {
        "Cannot overwrite a value": "the key stands twice",
        "Invalid value": "the value is not TOML (text needs quotes)",
    }.get(what, f"this is not TOML: {what}")
    lines = text.splitlines()
    got = lines[number - 1].strip() if number <= len(lines) else "the end of the file"
    return MandateError(f"{path}, line {number}, column {found[2]}", what, got=got, advice="mend this line")


def _told(file: _File, problem: ErrorDetails) -> tuple[str, object, str | None, str | None]:
    """Return what is wrong, what was got, what is allowed and what to do."""
    kind, got, keys = problem["type"], _shown(problem["input"]), _keys(problem)
    field = _field(file.model, problem["loc"])
    if kind == "refusal":
        told = problem["ctx"]
        return told["what"], _shown(told["got"]), told["allowed"], told["advice"]
    if kind == "extra_forbidden":
        return _unknown_key(file.model, problem)
    if kind == "missing":
        return "this key is needed", None, field.description if field else None, _TEMPLATE
    if kind in _CHOICES:
        return _choice(problem)
    if kind in _RANGES:
        return (
            "the number is out of range",
            got,
            field.description if field else None,
            _as_fraction(field, problem["input"]),
        )
    what = _TYPES.get(kind, problem["msg"])
    if kind in {"model_type", "model_attributes_type"} and field is not None:
        return what, got, *_table_wanted(field, keys)
    if kind == "tuple_type":
        return what, got, None, f"write [[{_dotted(keys)}]], with two brackets, above each of them"
    return what, got, field.description if field else None, _as_number(kind, problem["input"])


def _table_wanted(field: FieldInfo, keys: list[str]) -> tuple[str, str]:
    """Return which keys a table may hold, and how it is written."""
    inside = _inside(field)
    allowed = f"a table with {', '.join(inside)}"
    if keys[-1].isdigit():
        return allowed, f"write [[{_dotted(keys[:-1])}]] and its keys below"
    return allowed, f"write {keys[-1]} = {{ {inside[0]} = ... }}, or [{_dotted(keys)}] and its keys below"


def _unknown_key(model: type[BaseModel], problem: ErrorDetails) -> tuple[str, object, str, str]:
    """Return what to write instead of a key that does not exist: the closest one beside it, or the table it belongs to."""
    keys, table = _keys(problem), _model_at(model, problem["loc"][:-1])
    beside = sorted(_fields(table))
    close = difflib.get_close_matches(keys[-1].lower(), beside, n=1, cutoff=0.6)
    homes = list(dict.fromkeys(table for table, name in _all_keys(model) if name == keys[-1]))
    refused = getattr(table, "refused", {})
    there = " or ".join(f"in [{home}]" if home else "above the first [table]" for home in homes)
    if keys[-1] in refused:
        advice = str(refused[keys[-1]])
    elif _dotted(keys[:-1]) in homes:
        advice = "it belongs to another kind of strategy: remove it, or change the kind"
    elif close:
        advice = f"write {close[0]}, if that was meant{f'; {keys[-1]} belongs {there}' if 1 <= len(homes) <= 2 else ''}"
    elif 1 <= len(homes) <= 2:
        advice = f"it belongs {there}"
    else:
        advice = "remove it, or choose one of the keys allowed"
    return "there is no such key", keys[-1], ", ".join(beside), advice


def _choice(problem: ErrorDetails) -> tuple[str, object, str, str | None]:
    """Return the choices there are, and the closest one."""
    told = problem.get("ctx", {})
    listed = str(told.get("expected_tags") or told.get("expected") or "'volatility_capture', 'generated'")
    options = re.findall(r"'([^']*)'", listed)
    got = told.get("tag", problem["input"])
    if problem["type"] == "union_tag_not_found":
        return "the strategy needs a kind", None, ", ".join(options), f'write kind = "{options[0]}"'
    close = difflib.get_close_matches(str(got).lower().replace("-", "_").replace(" ", "_"), options, n=1, cutoff=0.5)
    return (
        "there is no such choice",
        _shown(got),
        ", ".join(options),
        f'write "{close[0]}", if that was meant' if close else None,
    )


def _as_fraction(field: FieldInfo | None, value: object) -> str | None:
    """Return how a percentage is written, where a limit looks like one."""
    is_fraction = field is not None and "fraction" in (field.description or "")
    if is_fraction and isinstance(value, (int, float)) and 0.0 < value <= 100.0:
        return f"write {value / 100.0:g} for {value:g}%"
    return None


def _as_number(kind: str, value: object) -> str | None:
    """Return the number that a text holds, where one was needed."""
    found = (
        re.fullmatch(r"\s*([-+]?[0-9.]+)\s*(%?)\s*", value)
        if isinstance(value, str) and kind in {"float_type", "int_type"}
        else None
    )
    if found is None:
        return None
    try:
        number = float(found[1]) / (100.0 if found[2] else 1.0)
    except ValueError:
        return None
    return f"write {number:g}, without quotes"


def _shown(value: object) -> object:
    """Return a value as TOML writes it; None for tables and lists, which the line shows."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return None if value is None or isinstance(value, (dict, list)) else str(value)


def _keys(problem: ErrorDetails) -> list[str]:
    """Return the path of a problem in the file: pydantic's, without the kinds of strategy that it puts in."""
    loc = problem["loc"]
    inner = [str(key) for at, key in enumerate(loc) if not (at == 1 and loc[0] == "strategy")]
    if problem["type"] == "refusal":
        inner += [key for key in problem["ctx"]["key"].split(".") if key]
    if problem["type"].startswith("union_tag"):
        inner.append("kind")
    return inner


def _follows(problem: ErrorDetails, first: ErrorDetails) -> bool:
    """Return whether a problem is but the shadow of the first: the right key is missing where a wrong one stands."""
    return (
        problem["type"] == "missing" and first["type"] == "extra_forbidden" and problem["loc"][:-1] == first["loc"][:-1]
    )


def _dotted(keys: list[str]) -> str:
    return ".".join(keys)


def _place(file: _File, problem: ErrorDetails) -> str:
    """Return ``"line N, the.dotted.key"``, without the line where nothing of the key is in the file."""
    keys = _keys(problem)
    line = line_of(file.text, keys)
    return _dotted(keys) if line is None else f"line {line}, {_dotted(keys)}"


def line_of(text: str, keys: list[str]) -> int | None:
    """Return the first line, from 1, of the statement that sets `keys`, or as much of them as is there; None for nothing.

    The path is looked for in what TOML makes of the first lines of the file, so comments, quoted keys, dotted keys and lists of tables
    need no care of their own.
    """
    path = keys
    while path and not _reaches(tomllib.loads(text), path):
        path = path[:-1]
    if not path:
        return None
    lines = text.splitlines()
    return 1 + bisect.bisect_left(
        range(1, len(lines) + 1), 1, key=lambda stop: int(_reaches(_first_lines(lines, stop), path))
    )


def _first_lines(lines: list[str], stop: int) -> dict[str, Any]:
    """Return what the first `stop` lines say, with the rest of a statement that they cut."""
    for last in range(stop, len(lines)):
        try:
            return tomllib.loads("\n".join(lines[:last]))
        except tomllib.TOMLDecodeError:
            continue
    return tomllib.loads("\n".join(lines))


def _reaches(data: Any, keys: list[str]) -> bool:
    """Return whether `data` holds something at the path `keys`."""
    for key in keys:
        if isinstance(data, dict) and key in data:
            data = data[key]
        elif isinstance(data, list) and key.isdigit() and int(key) < len(data):
            data = data[int(key)]
        else:
            return False
    return True


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a table by the keys that the file has for them."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models named in a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for option in get_args(annotation):
        yield from _models(option)


def _model_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel]:
    """Return the model of the table at `loc`."""
    for at, key in enumerate(loc):
        if at == 1 and loc[0] == "strategy":
            continue
        field = _fields(model).get(str(key))
        options = list(_models(field.annotation)) if field else []
        if options:
            tag = loc[1] if key == "strategy" and len(loc) > 1 else None
            model = (
                next(
                    (option for option in options if tag in get_args(option.model_fields["kind"].annotation)),
                    options[0],
                )
                if tag
                else options[0]
            )
    return model


def _field(model: type[BaseModel], loc: tuple[int | str, ...]) -> FieldInfo | None:
    """Return the field at `loc`, with the description of its type where it has none of its own."""
    named = [at for at, key in enumerate(loc) if isinstance(key, str) and key in _fields(_model_at(model, loc[:at]))]
    if not named:
        return None
    field = _fields(_model_at(model, loc[: named[-1]]))[str(loc[named[-1]])]
    told = [extra for extra in _metadata(field.annotation) if isinstance(extra, FieldInfo) and extra.description]
    if field.description is not None or not told:
        return field
    # a table under free names describes its numbers last; the table itself has no description
    return field if get_origin(field.annotation) is dict and named[-1] == len(loc) - 1 else told[-1]


def _metadata(annotation: Any) -> Iterator[Any]:
    """Yield what is written beside the types named in a type."""
    yield from getattr(annotation, "__metadata__", ())
    for option in get_args(annotation):
        yield from _metadata(option)


def _inside(field: FieldInfo) -> tuple[str, ...]:
    """Return the keys of the table that a field holds: those it needs first, those that any rule may have last."""
    model = next(_models(field.annotation), None)
    fields = {} if model is None else _fields(model)
    return tuple(sorted(fields, key=lambda name: (not fields[name].is_required(), name in _OPTIONS)))


def _all_keys(model: type[BaseModel], table: str = "") -> Iterator[tuple[str, str]]:
    """Yield each key of a mandate with the dotted name of its table."""
    for name, field in _fields(model).items():
        yield table, name
        for inner in _models(field.annotation):
            yield from _all_keys(inner, f"{table}.{name}" if table else name)
