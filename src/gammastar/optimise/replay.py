"""A proposal in one file: the whole problem and its answer, to be solved again to the same bytes.

The file is JSON. Arrays are base64 of their little-endian bytes and stand once each in a table, so that what was one array in memory is one array
again: the cone program, its order of rows included, is then the same.
"""

from __future__ import annotations

__all__ = ["Replay", "proposal_text", "replay_proposal"]

import base64
import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array

from gammastar.core import costs, covariance, generating, rows
from gammastar.errors import DataError, UsageError
from gammastar.optimise import problem as stated
from gammastar.optimise.decide import clean
from gammastar.optimise.discrete import best_answer

if TYPE_CHECKING:
    from gammastar.optimise.proposal import Proposal

FORMAT = "gammastar proposal 1"
_KNOWN: dict[str, type] = {
    name: kind
    for module in (rows, costs, covariance, generating, stated)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind)
}
"""The types that a file may hold: values of the theory and of the problem, nothing else."""


@dataclass(frozen=True)
class Replay:
    """Whether a proposal could be solved again to the same bytes.

    Args:
        path: name of the file.
        same: whether the file written anew has the same bytes.
        status: of the answer found now.
        sha256: of the file.
        differences: what differs, in words; empty if nothing does.
    """

    path: str
    same: bool
    status: str
    sha256: str
    differences: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        verdict = "solved again to the same bytes" if self.same else "NOT the same"
        return "\n".join([f"{self.path}: {verdict} ({self.status}, SHA-256 {self.sha256[:16]})", *(f"  {line}" for line in self.differences)])


def proposal_text(found: Proposal) -> str:
    """Return the file of a proposal: who, when, the whole problem, the answer.

    Raises:
        UsageError: a generated strategy has no problem.
    """
    if found.problem is None:
        raise UsageError("--out", "a generated strategy poses no problem: its weights are a function of the index weights", advice="use --targets")
    head = {
        "format": FORMAT,
        "mandate": found.mandate,
        "session": str(found.moment.session),
        "fingerprint": found.fingerprint,
        "assets": list(found.moment.assets.ids),
    }
    return _text(head, found.problem)


def replay_proposal(whole: bytes, name: str) -> Replay:
    """Return what comes out when the problem of a proposal file is solved again.

    Args:
        whole: contents of the file.
        name: of the file, for what is told.

    Raises:
        DataError: the file is not a proposal, or was changed.
    """
    try:
        head, problem, before = _read(json.loads(whole))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        advice = "gammastar propose --out FILE writes one"
        raise DataError(name, f"this is not a proposal file ({error})", allowed=FORMAT, advice=advice) from error
    anew = _text(head, problem)
    after = json.loads(anew)["answer"]
    same = anew.encode() == whole
    differences = tuple(f"{key}: {_short(before.get(key))} in the file, {_short(after[key])} now" for key in after if before.get(key) != after[key])
    if not same and not differences:
        differences = ("the answer is the same; the file was changed elsewhere",)
    return Replay(name, same, after["status"], hashlib.sha256(whole).hexdigest(), differences)


def _read(told: dict[str, Any]) -> tuple[dict[str, Any], stated.Problem, dict[str, Any]]:
    """Return head, problem and answer of a file."""
    head = {key: told[key] for key in ("format", "mandate", "session", "fingerprint", "assets")}
    if head["format"] != FORMAT:
        raise ValueError(f"format {head['format']}")
    problem = _decode(told["problem"], [_array(item) for item in told["arrays"]])
    if not isinstance(problem, stated.Problem):
        raise TypeError("the problem is no problem")
    return head, problem, told["answer"]


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _text(head: dict[str, Any], problem: stated.Problem) -> str:
    """Return the file, with the answer of the problem as it is solved now."""
    answer = best_answer(problem)
    weights = clean(answer.weights, cash=any(isinstance(row, rows.Budget) for row in problem.rows))
    outcome = {
        "status": answer.outcome.value,
        "targets": {head["assets"][i]: float(weights[i]) for i in np.flatnonzero(weights)} if answer.outcome.value == "solved" else None,
        "prices": answer.prices,
        "exceeded": answer.exceeded,
        "gap": answer.gap,
    }
    table: dict[tuple[Any, ...], int] = {}
    arrays: list[Any] = []
    encoded = _encode(problem, table, arrays)
    return json.dumps({**head, "answer": outcome, "problem": encoded, "arrays": arrays}, sort_keys=True, indent=1) + "\n"


def _encode(value: Any, table: dict[tuple[Any, ...], int], arrays: list[Any]) -> Any:
    """Return `value` as JSON; arrays go to the table, once each."""
    if isinstance(value, np.ndarray):
        return {"array": _entry(value, table, arrays)}
    if isinstance(value, csr_array):
        parts = [_entry(part, table, arrays) for part in (value.data, value.indices, value.indptr)]
        return {"sparse": parts, "shape": list(value.shape)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {item.name: _encode(getattr(value, item.name), table, arrays) for item in dataclasses.fields(value)}
        return {"type": type(value).__name__, "fields": named}
    if isinstance(value, tuple):
        return [_encode(item, table, arrays) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _entry(array: np.ndarray, table: dict[tuple[Any, ...], int], arrays: list[Any]) -> int:
    """Return the place of an array in the table, put there when it is first met."""
    key = (array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str) if array.size else (id(array),)
    if key not in table:
        table[key] = len(arrays)
        plain = np.ascontiguousarray(array)
        arrays.append({"dtype": plain.dtype.newbyteorder("<").str, "shape": list(array.shape),
                       "bytes": base64.b64encode(plain.astype(plain.dtype.newbyteorder("<"), copy=False).tobytes()).decode()})  # fmt: skip
    return table[key]


def _array(item: dict[str, Any]) -> np.ndarray:
    dtype = np.dtype(item["dtype"])
    if dtype.kind not in "fiub":
        raise ValueError(f"an array of {dtype}")
    return np.frombuffer(base64.b64decode(item["bytes"]), dtype=dtype).reshape(item["shape"])


def _decode(value: Any, arrays: list[np.ndarray]) -> Any:
    """Return what `_encode` encoded."""
    if isinstance(value, list):
        return tuple(_decode(item, arrays) for item in value)
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if "sparse" in value:
        data, indices, indptr = (arrays[k] for k in value["sparse"])
        return csr_array((data, indices, indptr), shape=tuple(value["shape"]))
    kind = _KNOWN[value["type"]]
    return kind(**{name: _decode(item, arrays) for name, item in value["fields"].items()})
