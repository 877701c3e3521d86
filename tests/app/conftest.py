"""A tiny market as CSV in the dataset layout, stored once, and the command line run in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gammastar.app.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START, END = "2018-05-31", "2019-12-31"
FROM, TO, ON = "2019-06-28", "2019-12-31", "2019-11-29"

MANDATE = """
name = "Tiny"
[strategy]
kind = "volatility_capture"
[rules]
tracking_error = { limit = 0.02 }
active_weight = { limit = 0.01 }
sector = { limit = 0.02 }
beta = { limit = 0.05 }
turnover = { limit = 0.5 }
[risk]
factors = 3
[clocks]
rebalance = "weekly"
[trading]
cost_bp = 5
"""

GENERATED = """
name = "Tiny diversity"
[strategy]
kind = "generated"
function = "diversity"
p = 0.5
[risk]
factors = 3
[trading]
cost_bp = 5
"""

CONFLICT = """
name = "Impossible"
[strategy]
kind = "volatility_capture"
[rules]
tracking_error = { limit = 0.05 }
active_weight = { limit = 0.001 }
weight = { minimum = 0.035 }
[risk]
factors = 3
"""


@dataclass(frozen=True)
class Answer:
    """What the command line said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as strict JSON: NaN and Infinity are refused."""

        def refuse(word: str) -> None:
            raise AssertionError(f"{word} is not JSON")

        return json.loads(self.out, parse_constant=refuse)


def write_dataset(folder: Path, *, names: int = 25, seed: int = 1) -> None:
    """Write members (month ends) and returns (daily) of a market with one factor, as CSV."""
    import exchange_calendars

    rng = np.random.default_rng(seed)
    days = exchange_calendars.get_calendar("XNYS", start=START, end=END).sessions.to_numpy().astype("datetime64[D]")
    returns = np.expm1(
        0.008 * rng.standard_normal((len(days), 1)) * rng.uniform(0.5, 1.5, names)
        + rng.uniform(0.005, 0.02, names) * rng.standard_normal((len(days), names))
    )
    caps = rng.dirichlet(np.full(names, 4.0)) * np.cumprod(1.0 + returns, axis=0)
    month = days.astype("datetime64[M]")
    ends = np.flatnonzero(np.append(month[1:] != month[:-1], True))
    sectors = ("Energy", "Financials", "Utilities", "Materials")
    members, rows = ["date,asset_id,weight,sector,ticker,name"], ["date,asset_id,total_return"]
    for t in ends:
        weights = caps[t] / caps[t].sum()
        members += [
            f'{days[t]},{1000 + i},{weights[i]!r},{sectors[i % 4]},T{i},"Name {i}, Inc"'.replace(
                "np.float64(", ""
            ).replace(")", "")
            for i in range(names)
        ]
    for t in range(ends[0] + 1, len(days)):
        rows += [f"{days[t]},{1000 + i},{float(returns[t, i])!r}" for i in range(names)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "members.csv").write_text("\n".join(members) + "\n")
    (folder / "returns.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="session")
def dataset(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """The tiny market as CSV."""
    return made_once("app-dataset", write_dataset)


@pytest.fixture(scope="session")
def store(dataset: Path, made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """The tiny market, stored."""
    from gammastar.store import ingest

    return made_once("app-store", lambda folder: ingest(dataset, folder))


@pytest.fixture(scope="session")
def mandates(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """A folder with `tiny.toml`, `generated.toml` and `conflict.toml`."""

    def write(folder: Path) -> None:
        folder.mkdir()
        for name, text in (("tiny", MANDATE), ("generated", GENERATED), ("conflict", CONFLICT)):
            (folder / f"{name}.toml").write_text(text)

    return made_once("app-mandates", write)


@pytest.fixture(scope="session")
def run(store: Path, mandates: Path, made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """A saved run of `tiny.toml`; read it, do not change it."""
    from gammastar.workspace import run_mandate

    return made_once(
        "app-run", lambda folder: run_mandate(mandates / "tiny.toml", store, start=FROM, end=TO, out=folder)
    )


@pytest.fixture
def gammastar(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run the command line in this process."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        code = stopped.value.code
        return Answer(0 if code is None else int(code), told.out, told.err)

    return call
