"""From a mandate file and settings to tasks."""

from __future__ import annotations

__all__ = ["Task", "grid", "tasks_of", "toml_text"]

import itertools
import json
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gammastar.errors import UsageError
from gammastar.mandate.schema import changed, read_mandate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gammastar.mandate.mandate import Mandate


@dataclass(frozen=True, eq=False)
class Task:
    """One mandate to run.

    Args:
        settings: what was changed in the mandate's file, by dotted key.
        mandate: as changed.
        text: of its file, as TOML.
    """

    settings: dict[str, Any]
    mandate: Mandate
    text: str

    @property
    def label(self) -> str:
        """The settings in one line: ``rules.tracking_error.limit=0.01``."""
        return ", ".join(f"{key}={value}" for key, value in self.settings.items()) or "as it is"


def grid(settings: Mapping[str, Sequence[Any]]) -> tuple[dict[str, Any], ...]:
    """Return every combination of the settings' values, the last setting varying fastest.

    >>> [cell["b"] for cell in grid({"a": [1, 2], "b": [3, 4]})]
    [3, 4, 3, 4]

    Raises:
        UsageError: a setting without values.
    """
    for key, values in settings.items():
        if not len(values):
            raise UsageError(key, "there is no value to try", advice=f"write for instance {key}=0.01,0.02")
    return tuple(dict(zip(settings, values, strict=True)) for values in itertools.product(*settings.values()))


def tasks_of(path: Path, settings: Mapping[str, Sequence[Any]]) -> tuple[Task, ...]:
    """Return the tasks of a grid: the mandate of a file with each combination of settings. All are read before any is run.

    Args:
        path: of the mandate.
        settings: values by dotted key of the file, for instance ``{"rules.tracking_error.limit": [0.01, 0.02]}``.

    Raises:
        MandateError: a combination is no mandate; the message names the key.
        UsageError: two combinations are one mandate, or a setting has no value.
    """
    read_mandate(path)  # what is wrong with the file itself is told with its line
    written = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    tasks: dict[str, Task] = {}
    for cell in grid(settings):
        task = Task(cell, read_mandate(path, changes=cell), toml_text(changed(written, cell)))
        twin = tasks.setdefault(task.mandate.fingerprint, task)
        if twin is not task:
            raise UsageError(task.label, f"this is the same mandate as {twin.label}", advice="remove one of the values")
    return tuple(tasks.values())


def toml_text(table: Mapping[str, Any]) -> str:
    """Return a table as TOML: plain values first, then one section a table, what is inside it on one line each."""
    plain = [f"{key} = {_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
    sections = [
        "\n".join((f"\n[{key}]", *(f"{name} = {_value(value)}" for name, value in inside.items()))) for key, inside in table.items() if isinstance(inside, dict)
    ]
    return "\n".join((*plain, *sections)) + "\n"


def _value(value: Any) -> str:
    """Return a value as TOML writes it; text as JSON does, which TOML reads alike."""
    match value:
        case bool() | str():
            return json.dumps(value, ensure_ascii=False)
        case dict():
            return "{ " + ", ".join(f"{json.dumps(key)} = {_value(inside)}" for key, inside in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(_value(item) for item in value) + "]"
        case _:
            return str(value) if not isinstance(value, float) else repr(value)
