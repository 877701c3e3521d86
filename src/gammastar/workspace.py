"""The verbs, each once. Shells (the command line, a web page) call nothing else."""

from __future__ import annotations

__all__ = [
    "RunComparison",
    "Verification",
    "check_file",
    "compare_runs",
    "data_status",
    "ingest",
    "init_workspace",
    "propose_targets",
    "report_run",
    "run_mandate",
    "simulate_market",
    "validate_mandate",
    "verify_run",
    "write_orders",
]

import importlib.resources
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gammastar.errors import MandateError, StaleDataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gammastar.backtest import Result
    from gammastar.mandate import Mandate, Reading
    from gammastar.market.moment import Moment
    from gammastar.market.panel import Panel
    from gammastar.market.track import Track
    from gammastar.optimise import Proposal
    from gammastar.store import IngestReport


def ingest(dataset: Path, into: Path, *, mapping: Path | None = None) -> IngestReport:
    """Read and validate a dataset and store it; see `gammastar.store.ingest`."""
    from gammastar import store

    return store.ingest(dataset, into, mapping=mapping)


def data_status(path: Path) -> Any:
    """Return what a store holds."""
    from gammastar.store import open_store

    return open_store(path).status()


def simulate_market(out: Path, *, seed: int, members: int | None = None, listed: int | None = None) -> dict[str, Any]:
    """Simulate a large-cap market and write it as a dataset that `ingest` reads.

    Args:
        out: folder to write.
        seed: of the random numbers; the same seed gives the same bytes.
        members: names in the index; default the model's.
        listed: names listed in all; default the model's.
    """
    from gammastar.simulate import LargeCapMarket
    from gammastar.store import write_dataset

    sizes = {key: value for key, value in (("members", members), ("listed", listed)) if value is not None}
    panel = LargeCapMarket(**sizes).simulate(seed).panel
    write_dataset(panel, out)
    return {
        "dataset": str(out),
        "seed": seed,
        "sessions": len(panel),
        "from": str(panel.sessions[0]),
        "to": str(panel.sessions[-1]),
        "assets": len(panel.assets),
        "fingerprint": panel.fingerprint,
    }


def validate_mandate(path: Path) -> Mandate:
    """Return the mandate of a file, or raise with the line and the key that are wrong."""
    from gammastar.mandate import Mandate

    return Mandate.load(path)


def propose_targets(mandate: Path, data: Path, on: str, *, holdings: Path | None = None, frequency: str | None = None) -> Proposal:
    """Return target weights for a mandate at the close of `on`.

    Raises:
        StaleDataError: the data does not reach that date.
        WeightsError: the holdings file is wrong.
    """
    from gammastar.mandate import Mandate
    from gammastar.optimise import propose

    signed = Mandate.load(mandate)
    moment = _moment(_panel(data, frequency), on)
    _known_assets(signed, moment, mandate)
    if holdings is not None:
        from gammastar.trade import read_weights

        moment = moment.with_holdings(read_weights(holdings, moment.assets))
    return propose(signed, moment)


def write_orders(proposal: Proposal, mandate: Path, out: Path) -> None:
    """Write the order list of a proposal as CSV."""
    from gammastar.mandate import Mandate
    from gammastar.trade import order_list, orders_csv

    trading = Mandate.load(mandate).trading
    orders = order_list(proposal.moment, proposal.targets, capital=trading.capital, cost=trading.cost)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(orders_csv(orders), encoding="utf-8")


def check_file(mandate: Path, data: Path, on: str, weights: Path, *, frequency: str | None = None) -> tuple[Reading, ...]:
    """Return what every rule of a mandate measures on a file of weights at the close of `on`."""
    from gammastar.mandate import Mandate, check_weights
    from gammastar.trade import read_weights

    signed = Mandate.load(mandate)
    moment = _moment(_panel(data, frequency), on)
    _known_assets(signed, moment, mandate)
    held = read_weights(weights, moment.assets)
    if any(rule.needs_covariance for rule in signed.rules) and signed.risk is not None:
        moment = moment.with_risk(signed.risk.estimate(moment.with_holdings(held)))
    return check_weights(signed, held, moment)


def run_mandate(
    mandate: Path,
    data: Path,
    *,
    start: str | None,
    end: str | None,
    out: Path | None = None,
    frequency: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Run a mandate on a store, and write the run to `out`."""
    from gammastar.backtest import run_backtest
    from gammastar.backtest.archive import save_run
    from gammastar.mandate import Mandate

    signed = Mandate.load(mandate)
    panel = _panel(data, frequency)
    result = run_backtest(signed, panel, start, end, progress=progress)
    if out is not None:
        inputs = {"data": str(data.resolve()), "frequency": panel.frequency.name.lower(), "from": str(result.track.start),
                  "to": str(result.track.sessions[-1]), "data_fingerprint": panel.fingerprint}
        save_run(result, out, mandate_text=mandate.read_text(encoding="utf-8-sig"), inputs=inputs)
    return result


def report_run(run: Path) -> Track:
    """Return the track of a saved run, and write its tear sheet anew."""
    from gammastar.backtest.archive import load_track
    from gammastar.report import tear_sheet

    track = load_track(run)
    (run / "tearsheet.html").write_text(tear_sheet(track), encoding="utf-8")
    return track


@dataclass(frozen=True)
class RunComparison:
    """Two runs side by side: each statistic of the first, of the second, and the difference where both are numbers."""

    names: tuple[str, str]
    rows: tuple[tuple[str, object, object, float | None], ...]


def compare_runs(first: Path, second: Path) -> RunComparison:
    """Return the statistics of two saved runs side by side."""
    from gammastar.backtest.archive import read_run

    one, two = _flat(read_run(first)), _flat(read_run(second))
    rows = tuple((name, one[name], two.get(name), _difference(one[name], two.get(name))) for name in one if name in two)
    return RunComparison((str(first), str(second)), rows)


def _flat(head: dict[str, Any]) -> dict[str, object]:
    """Return the statistics of `run.json` with dotted names."""
    left_out = {"schema", "inputs", "mandate", "track", "sub_periods", "calendar_years", "rules"}
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
    """Whether a run could be repeated: the files compared, and those whose bytes differ."""

    run: str
    fingerprint: str
    same_fingerprint: bool
    files: tuple[str, ...]
    different: tuple[str, ...]

    @property
    def reproduced(self) -> bool:
        """Whether everything is the same."""
        return self.same_fingerprint and not self.different


def verify_run(run: Path, *, data: Path | None = None, scratch: Path) -> Verification:
    """Run a saved run again from its own mandate and data, and compare bytes.

    Args:
        run: folder of the run.
        data: the store, where it has moved since.
        scratch: empty folder for the repetition.
    """
    from gammastar.backtest.archive import read_run

    head = read_run(run)
    inputs = head["inputs"]
    again = run_mandate(
        run / "mandate.toml", data or Path(inputs["data"]), start=inputs["from"], end=inputs["to"], out=scratch / "run", frequency=inputs["frequency"]
    )
    files = ("returns.csv", "weights.parquet")
    different = tuple(name for name in files if (run / name).read_bytes() != (scratch / "run" / name).read_bytes())
    return Verification(str(run), again.fingerprint, again.fingerprint == head["fingerprint"], files, different)


def init_workspace(folder: Path) -> tuple[Path, ...]:
    """Write a workspace template: a commented mandate, a dataset mapping, and a note on what goes where. Existing files are kept.

    Raises:
        UsageError: the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(str(folder), "this is a file", advice="name a folder")
    written = []
    source = importlib.resources.files("gammastar") / "templates"
    for name in ("mandate.toml", "dataset.toml", "README.md"):
        path = folder / name
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text((source / name).read_text(encoding="utf-8"), encoding="utf-8")
            written.append(path)
    return tuple(written)


def _panel(data: Path, frequency: str | None) -> Panel:
    from gammastar.store import open_store

    store = open_store(data)
    return store.panel() if frequency is None else store.panel(frequency)


def _moment(panel: Panel, on: str) -> Moment:
    """Return the moment at the close of the date `on`, which must be a session of the panel."""
    import numpy as np

    try:
        day = np.datetime64(on, "D")
    except ValueError as error:
        raise UsageError("--on", "this is not a date", got=on, allowed="YYYY-MM-DD") from error
    if day < panel.sessions[0] or day > panel.sessions[-1]:
        raise StaleDataError(f"--on {on}", "the data does not reach this date", allowed=f"{panel.sessions[0]} to {panel.sessions[-1]}",
                             advice="choose a date inside, or ingest newer data")
    try:
        return panel.moment(panel.calendar.position(day))
    except ValueError as error:
        raise UsageError(f"--on {on}", str(error), advice="choose a session") from error


def _known_assets(mandate: Mandate, moment: Moment, path: Path) -> None:
    """Refuse a mandate that excludes an asset the data does not know: a typing error there would leave the asset in."""
    from gammastar.mandate import Exclude

    for rule in mandate.rules:
        unknown = [item.asset for item in rule.assets if item.asset not in moment.assets.index] if isinstance(rule, Exclude) else []
        if unknown:
            raise MandateError(f"{path}, rules.exclude", "there is no such asset in the data", got=", ".join(unknown), advice="use the permanent id")


