"""The verbs, each once. Shells (the command line, a web page) call nothing else."""

from __future__ import annotations

__all__ = [
    "check_file",
    "compare_runs",
    "data_status",
    "decompose_market",
    "describe_capital",
    "ingest",
    "init_workspace",
    "propose_targets",
    "report_run",
    "run_mandate",
    "simulate_market",
    "validate_mandate",
    "verify_run",
    "write_orders",
    "write_targets",
]

import importlib.resources
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gammastar.errors import MandateError, StaleDataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from gammastar.backtest import Result
    from gammastar.backtest.compare import RunComparison, Verification
    from gammastar.mandate import Mandate, Reading
    from gammastar.market.moment import Moment
    from gammastar.market.panel import Panel
    from gammastar.market.track import Track
    from gammastar.optimise import Proposal
    from gammastar.store import IngestReport
    from gammastar.theory import Account, CapitalCurve


def ingest(dataset: Path, into: Path, *, mapping: Path | None = None) -> IngestReport:
    """Read and validate a dataset and store it; see `gammastar.store.ingest`."""
    from gammastar import store

    return store.ingest(dataset, into, mapping=mapping)


def data_status(path: Path) -> dict[str, Any]:
    """Return what a store holds: source, dates, rows, assets, panels, what is missing, fingerprint."""
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

    model = LargeCapMarket()
    model = replace(model, members=members or model.members, listed=listed or model.listed)
    panel = model.simulate(seed).panel
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


def decompose_market(data: Path, generated: dict[str, Any], *, clock: str | None, cost_bp: float, frequency: str | None = None) -> Account:
    """Return the whole exact account of a generated portfolio on a store.

    Args:
        data: the store.
        generated: what `[strategy]` of a generated mandate says: function, p, shift, bet; `by_rank` lets the function see ranks, `top` only the largest.
        clock: when it is formed anew; None for every session.
        cost_bp: basis points of traded value.
        frequency: of the panel.

    Raises:
        UsageError: parameters that do not belong to the function.
    """
    from pydantic import ValidationError

    from gammastar.core.rank_generating import ByRank
    from gammastar.core.rank_generating import top as among_largest
    from gammastar.mandate.schema import GeneratedEntry
    from gammastar.market.calendar import Clock
    from gammastar.theory import account_for

    by_rank, largest = generated.pop("by_rank", False), generated.pop("top", None)
    try:
        function = GeneratedEntry.model_validate({"kind": "generated", **generated}).generating_function()
    except ValidationError as error:
        told = {key: value for key, value in generated.items() if value is not None}
        raise UsageError("--function", error.errors()[0]["msg"], got=str(told),
                         advice="gammastar theory decompose --help lists what each function takes") from error  # fmt: skip
    if largest is not None:
        function = among_largest(largest, function)
    elif by_rank:
        function = ByRank(function)
    return account_for(function, _panel(data, frequency), clock=None if clock is None else Clock(clock), cost=cost_bp / 1e4)


def describe_capital(data: Path, on: tuple[str, ...], *, frequency: str | None = None) -> CapitalCurve:
    """Return the capital distribution of a store's index at some closes (default: first, middle, last)."""
    from gammastar.theory import capital_curve

    panel = _panel(data, frequency)
    return capital_curve(panel, tuple(panel.sessions[_session(panel, date)] for date in on))


def validate_mandate(path: Path) -> Mandate:
    """Return the mandate of a file, or raise with the line and the key that are wrong."""
    from gammastar.mandate import Mandate

    return Mandate.load(path)


def propose_targets(
    mandate: Path, data: Path, on: str, *, holdings: Path | None = None, frequency: str | None = None
) -> Proposal:
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
    """Write the order list of a proposal as CSV: what a run would trade, each name to the edge of the mandate's no-trade band and no further."""
    from gammastar.mandate import Mandate
    from gammastar.trade import order_list, orders_csv

    orders = order_list(proposal.moment, proposal.targets, Mandate.load(mandate).trading)
    _write(out, orders_csv(orders))


def write_targets(proposal: Proposal, out: Path) -> None:
    """Write the target weights of a proposal as CSV that `check_file` reads."""
    from gammastar.trade import weights_csv

    _write(out, weights_csv(proposal.targets, proposal.moment.assets))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def check_file(
    mandate: Path, data: Path, on: str, weights: Path, *, holdings: Path | None = None, frequency: str | None = None
) -> tuple[tuple[Reading, ...], tuple[str, ...]]:
    """Return what every rule of a mandate measures on a file of weights at the close of `on`, and the rules that could not be measured.

    `holdings` are the weights before the trade; without them turnover cannot be measured.
    """
    from gammastar.mandate import Mandate, check_weights, unmeasured_rules
    from gammastar.trade import read_weights

    signed = Mandate.load(mandate)
    moment = _moment(_panel(data, frequency), on)
    _known_assets(signed, moment, mandate)
    held = read_weights(weights, moment.assets)
    if any(rule.needs_covariance for rule in signed.rules) and signed.risk is not None:
        moment = moment.with_risk(signed.risk.estimate(moment.with_holdings(held)))
    if holdings is not None:
        moment = moment.with_holdings(read_weights(holdings, moment.assets))
    return check_weights(signed, held, moment), unmeasured_rules(signed, moment)


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
    """Run a mandate on a store, and write the run to `out`.

    Args:
        mandate: file.
        data: store.
        start: first close, YYYY-MM-DD; default the first with enough history.
        end: last close; default the last of the data.
        out: folder of the run; an earlier run there is replaced whole.
        frequency: daily or monthly; default daily where there are daily returns.
        progress: called with sessions done and sessions in all.

    Raises:
        DataError: `out` exists and is not a run; found before anything is run.
    """
    from gammastar.backtest import run_backtest
    from gammastar.backtest.archive import check_target, save_run
    from gammastar.mandate import Mandate

    signed = Mandate.load(mandate)
    first, last = (None if day is None else _date(option, day) for option, day in (("--from", start), ("--to", end)))
    if out is not None:
        check_target(out)
    panel = _panel(data, frequency)
    result = run_backtest(signed, panel, first, last, progress=progress)
    if out is not None:
        inputs = {
            "data": str(data.resolve()),
            "frequency": panel.frequency.name.lower(),
            "from": str(result.track.start),
            "to": str(result.track.sessions[-1]),
            "data_fingerprint": panel.fingerprint,
        }
        save_run(result, out, mandate_text=mandate.read_text(encoding="utf-8-sig"), inputs=inputs)
    return result


def report_run(run: Path) -> Track:
    """Return the track of a saved run, and write its tear sheet anew."""
    from gammastar.backtest.archive import load_track
    from gammastar.report import tear_sheet

    track = load_track(run)
    (run / "tearsheet.html").write_text(tear_sheet(track), encoding="utf-8")
    return track


def compare_runs(first: Path, second: Path) -> RunComparison:
    """Return the statistics of two saved runs side by side."""
    from gammastar.backtest import compare

    return compare.compare_runs(first, second)


def verify_run(run: Path, *, data: Path | None = None, scratch: Path) -> Verification:
    """Run a saved run again from its own mandate and data, and compare bytes: of every file but the tear sheet, which is made from the others.

    Args:
        run: folder of the run.
        data: the store, where it has moved since.
        scratch: empty folder for the repetition.

    Raises:
        DataError: there is no run.
        UsageError: there is no store where the run's was.
    """
    from gammastar.backtest import run_backtest
    from gammastar.backtest.archive import read_run, save_run
    from gammastar.backtest.compare import compare_with_repetition
    from gammastar.mandate import Mandate

    inputs = read_run(run)["inputs"]
    store = data or Path(inputs["data"])
    if not store.exists():
        raise UsageError(
            str(store), "the store of this run is not there any more", advice="say where it is with --data"
        )
    source, repeated = run / "mandate.toml", scratch / "run"
    result = run_backtest(Mandate.load(source), _panel(store, inputs["frequency"]), inputs["from"], inputs["to"])
    save_run(result, repeated, mandate_text=source.read_text(encoding="utf-8"), inputs=inputs, page=False)
    return compare_with_repetition(run, repeated)


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
    return panel.moment(_session(panel, on))


def _session(panel: Panel, on: str) -> int:
    """Return the position of the date `on`, which must be a session of the panel."""
    day = _date("--on", on)
    sessions, calendar = panel.sessions, panel.calendar
    if day < sessions[0] or day > sessions[-1]:
        raise StaleDataError(f"--on {on}", "the data does not reach this date", allowed=f"{sessions[0]} to {sessions[-1]}",
                             advice="choose a date inside, or ingest newer data")  # fmt: skip
    before = calendar.last_on_or_before(day)
    if sessions[before] != day:
        raise UsageError(f"--on {on}", f"this is not a session of {calendar.name}", allowed=f"the nearest, {sessions[before]} and {sessions[before + 1]}",
                         advice="choose one of them")  # fmt: skip
    return before


def _date(option: str, text: str) -> np.datetime64:
    """Return a date; words such as "today" and parts of dates are none."""
    import datetime as dt

    import numpy as np

    try:
        return np.datetime64(dt.date.fromisoformat(text), "D")
    except ValueError as error:
        raise UsageError(
            option, "this is not a date", got=text, allowed="YYYY-MM-DD", advice="write for instance 2019-11-29"
        ) from error


def _known_assets(mandate: Mandate, moment: Moment, path: Path) -> None:
    """Refuse a mandate that excludes an asset the data does not know: a typing error there would leave the asset in."""
    from gammastar.mandate import Exclude

    for rule in mandate.rules:
        unknown = (
            [item.asset for item in rule.assets if item.asset not in moment.assets.index]
            if isinstance(rule, Exclude)
            else []
        )
        if unknown:
            raise MandateError(f"{path}, rules.exclude", "there is no such asset in the data", got=", ".join(unknown), allowed="permanent ids, as in the store",
                               advice="mend the id, or remove the exclusion")  # fmt: skip
