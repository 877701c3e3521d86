"""Saved runs compared: two runs side by side, or a run with its repetition byte for byte."""

from __future__ import annotations

__all__ = ["RunComparison", "Verification", "compare_runs", "compare_with_repetition", "flat_statistics"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gammastar.backtest.archive import read_run

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class RunComparison:
    """Two runs side by side.

    Args:
        names: folders of the runs.
        rows: name, value of the first, value of the second, and their difference where both are numbers.
        notes: what else than the mandate differs, so that the difference is not the strategy's alone.
    """

    names: tuple[str, str]
    rows: tuple[tuple[str, object, object, float | None], ...]
    notes: tuple[str, ...] = ()


def compare_runs(first: Path, second: Path) -> RunComparison:
    """Return the statistics of two saved runs side by side."""
    heads = read_run(first), read_run(second)
    one, two = flat_statistics(heads[0]), flat_statistics(heads[1])
    rows = tuple((name, one[name], two[name], _difference(one[name], two[name])) for name in one if name in two)
    told = (
        ("data_fingerprint", "the data"),
        ("frequency", "the frequency"),
        ("from", "the first close"),
        ("to", "the last close"),
    )
    differing = [words for key, words in told if heads[0]["inputs"].get(key) != heads[1]["inputs"].get(key)]
    notes = (f"{', '.join(differing)} differ between the runs, not the mandates alone",) if differing else ()
    return RunComparison((str(first), str(second)), rows, notes)


def flat_statistics(head: dict[str, Any]) -> dict[str, object]:
    """Return the statistics of `run.json`, or of `Result.to_dict`, with dotted names."""
    left_out = {
        "schema",
        "inputs",
        "wall_seconds",
        "fingerprint",
        "mandate",
        "track",
        "sub_periods",
        "calendar_years",
        "rules",
    }
    flat: dict[str, object] = {}
    for name, value in head.items():
        if name in left_out:
            continue
        if isinstance(value, dict):
            flat.update({f"{name}.{part}": inner for part, inner in value.items()})
        else:
            flat[name] = value
    return flat


def _difference(one: object, two: object) -> float | None:
    numbers = [value for value in (one, two) if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return float(numbers[1] - numbers[0]) if len(numbers) == 2 else None


@dataclass(frozen=True)
class Verification:
    """Whether a run could be repeated.

    Args:
        run: its folder.
        fingerprint: of the repetition.
        same_fingerprint: whether mandate, data, dates and version are those of the run.
        files: that were compared.
        different: of them, those whose bytes differ or that are missing.
        causes: why the fingerprint differs, in words.
    """

    run: str
    fingerprint: str
    same_fingerprint: bool
    files: tuple[str, ...]
    different: tuple[str, ...]
    causes: tuple[str, ...] = ()

    @property
    def reproduced(self) -> bool:
        """Whether everything is the same."""
        return self.same_fingerprint and not self.different


def compare_with_repetition(run: Path, repeated: Path) -> Verification:
    """Return whether `repeated` holds what `run` does: the bytes of every file but the tear sheet, which is made from the others."""
    head, again = read_run(run), read_run(repeated)
    files = tuple(
        sorted(
            {
                path.name
                for folder in (run, repeated)
                for path in folder.iterdir()
                if path.suffix in {".csv", ".parquet", ".json"}
            }
        )
    )
    different = tuple(name for name in files if not _same(run / name, repeated / name))
    facts, facts_again = head["track"]["facts"], again["track"]["facts"]
    told = (("mandate fingerprint", "the mandate"), ("data fingerprint", "the data"), ("software", "the software"))
    causes = tuple(f"{words} is not that of the run" for key, words in told if facts.get(key) != facts_again.get(key))
    return Verification(
        str(run), again["fingerprint"], again["fingerprint"] == head["fingerprint"], files, different, causes
    )


def _same(one: Path, two: Path) -> bool:
    """Return whether two files hold the same bytes; of `run.json` the time taken and the place of the data may differ."""
    if not (one.is_file() and two.is_file()):
        return False
    if one.name == "run.json":
        heads = [
            {key: value for key, value in read_run(path.parent).items() if key not in {"wall_seconds", "inputs"}}
            for path in (one, two)
        ]
        return heads[0] == heads[1]
    return one.read_bytes() == two.read_bytes()
