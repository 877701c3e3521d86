"""The verbs of runs: backtest, report, compare, verify."""

from __future__ import annotations

__all__ = ["compare_runs", "report_run", "run_mandate", "verify_run"]

from pathlib import Path
from typing import TYPE_CHECKING

from gammastar.errors import UsageError
from gammastar.workspace.opening import open_panel, parse_date

if TYPE_CHECKING:
    from collections.abc import Callable

    from gammastar.backtest import Result
    from gammastar.backtest.compare import RunComparison, Verification
    from gammastar.market.track import Track


def run_mandate(
    mandate: Path,
    data: Path,
    *,
    start: str | None,
    end: str | None,
    out: Path | None = None,
    frequency: str | None = None,
    known: str | None = None,
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
        known: what was known on this date; default all that is known.
        progress: called with sessions done and sessions in all.

    Raises:
        DataError: `out` exists and is not a run; found before anything is run.
    """
    from gammastar.backtest import run_backtest
    from gammastar.backtest.archive import check_target, save_run
    from gammastar.mandate import Mandate
    from gammastar.store import open_store

    signed = Mandate.load(mandate)
    first, last = (None if day is None else parse_date(option, day) for option, day in (("--from", start), ("--to", end)))
    if out is not None:
        check_target(out)
    store = open_store(data)
    panel = store.panel(frequency, known=known)
    result = run_backtest(signed, panel, first, last, progress=progress)
    if out is not None:
        inputs = {
            "data": str(data.resolve()),
            "frequency": panel.frequency.name.lower(),
            "from": str(result.track.start),
            "to": str(result.track.sessions[-1]),
            "known": str(store.known if known is None else min(parse_date("--known", known), store.known)),
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
    result = run_backtest(Mandate.load(source), open_panel(store, inputs["frequency"], known=inputs.get("known")), inputs["from"], inputs["to"])
    save_run(result, repeated, mandate_text=source.read_text(encoding="utf-8"), inputs=inputs, page=False)
    return compare_with_repetition(run, repeated)
