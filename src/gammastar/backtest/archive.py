"""A run as a folder: written whole or not at all, and read back as the same track."""

from __future__ import annotations

__all__ = ["SCHEMA_VERSION", "check_target", "load_track", "read_run", "save_run"]

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from gammastar.errors import DataError
from gammastar.market.assets import Assets
from gammastar.market.calendar import Frequency
from gammastar.market.track import Attribution, Compliance, Decomposition, Forecast, Holdings, Track, Trading
from gammastar.report import read_returns, returns_csv, tear_sheet

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from jaxtyping import Float
    from numpy import ndarray

    from gammastar.backtest.result import Result

SCHEMA_VERSION = 1


def check_target(folder: Path) -> None:
    """Check that a run may be written to `folder`: it is not there, it is empty, or it holds an earlier run.

    Raises:
        DataError: the folder exists and is not a run.
    """
    _recover(folder)
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / "run.json").exists())):
        raise DataError(str(folder), "this exists and is not a run", advice="name another folder with --out")


def save_run(result: Result, folder: Path, *, mandate_text: str, inputs: dict[str, Any], page: bool = True) -> None:
    """Write a run to `folder`, replacing an earlier run there; killed half way, it leaves the earlier run or none.

    Args:
        result: of the run.
        folder: to write.
        mandate_text: the mandate's file as it was.
        inputs: where the data came from and which dates were asked for: what `verify` needs to run it again.
        page: whether to write the tear sheet, which takes longer than all the rest.

    Raises:
        DataError: the folder exists and is not a run.
    """
    check_target(folder)
    fresh, old = folder.with_name(f".{folder.name}.new"), _set_aside(folder)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        _write_files(result, fresh)
        if page:
            (fresh / "tearsheet.html").write_text(tear_sheet(result.track), encoding="utf-8")
        (fresh / "mandate.toml").write_text(mandate_text, encoding="utf-8")
        (fresh / "run.json").write_text(json.dumps(_head(result, inputs), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _set_aside(folder: Path) -> Path:
    """Return where an earlier run stands while a new one takes its place."""
    return folder.with_name(f".{folder.name}.old")


def _recover(folder: Path) -> None:
    """Put back an earlier run that a kill between two renames left set aside."""
    if not folder.exists() and _set_aside(folder).is_dir():
        _set_aside(folder).rename(folder)


def _head(result: Result, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return `run.json`: the statistics, what they were made from, and what the tables do not hold."""
    track = result.track
    head = {"schema": SCHEMA_VERSION, **result.to_dict(), "inputs": inputs, "mandate": json.loads(result.mandate.canonical)}
    head["track"] = {
        "name": track.name,
        "benchmark_name": track.benchmark_name,
        "start": str(track.start),
        "frequency": track.frequency.name,
        "initial": -1 if track.trading is None else track.trading.initial,
        "baselines": list(track.baselines),
        "facts": dict(track.facts),
    }
    return head


def _write_files(result: Result, folder: Path) -> None:
    """Write the tables."""
    import pandas as pd

    track = result.track
    (folder / "returns.csv").write_text(returns_csv(track), encoding="utf-8")
    decisions = [
        {
            "date": str(d.session),
            "status": d.status,
            "forecast_tracking_error": d.tracking_error,
            "forecast_captured_volatility": d.captured_volatility,
            "active_share": d.active_share,
            "names": d.names,
            "turnover_two_way": d.turnover_two_way,
            "broken": " ".join(d.broken),
            "conflict": " ".join(d.conflict),
            "prices_bp": json.dumps(d.prices_bp),
            "fingerprint": d.fingerprint,
        }
        for d in result.decisions
    ]
    _csv(pd.DataFrame(decisions), folder / "decisions.csv")
    if track.holdings is not None:
        _write_holdings(track.holdings, track, folder)
    if track.compliance is not None:
        log = track.compliance
        frame = {"date": log.session.astype(str), "rule": log.rule, "value": log.value, "limit": log.limit, "headroom": log.headroom}
        _csv(pd.DataFrame({**frame, "where": log.where, "verdict": log.verdict}), folder / "compliance.csv")


def _exact(value: Any) -> str:
    """Return the shortest text that reads back to the same bits."""
    return repr(float(value))


def _csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table whose floats read back to the same bits."""
    path.write_text(frame.to_csv(index=False, lineterminator="\n", float_format=_exact), encoding="utf-8")


def _write_holdings(holdings: Holdings, track: Track, folder: Path) -> None:
    """Write weights (long, zero rows left out), tilts, and what is known of each asset."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    rows, columns = np.nonzero((holdings.weights != 0.0) | (holdings.benchmark != 0.0))
    table = pa.table(
        {
            "date": pa.array(track.sessions[rows], pa.date32()),
            "asset_id": pa.DictionaryArray.from_arrays(pa.array(columns.astype(np.int32)), pa.array(list(holdings.assets.ids), pa.string())),
            "weight": holdings.weights[rows, columns],
            "benchmark_weight": holdings.benchmark[rows, columns],
        }
    )
    parquet.write_table(table, folder / "weights.parquet", compression="zstd")
    tilts = {"date": track.sessions.astype(str), "size": holdings.size}
    tilts |= {label: holdings.sector_active[:, s] for s, label in enumerate(holdings.sector_labels)}
    _csv(pd.DataFrame(tilts), folder / "tilts.csv")
    known = {"asset_id": holdings.assets.ids, "ticker": holdings.assets.tickers, "name": holdings.assets.names}
    assets = pd.DataFrame({**known, "sector": [holdings.sector_labels[code] for code in holdings.sector_codes]})
    if holdings.relative_volatility is not None:
        assets["relative_volatility"] = holdings.relative_volatility
    _csv(assets, folder / "assets.csv")
    if track.index_level is not None:
        dates = np.append(track.start, track.sessions).astype(str)
        _csv(pd.DataFrame({"date": dates, "level": track.index_level}), folder / "index.csv")


def read_run(folder: Path) -> dict[str, Any]:
    """Return `run.json` of a run.

    Raises:
        DataError: there is no run, it is damaged, or it was written by another version of the schema.
    """
    _recover(folder)
    path = folder / "run.json"
    try:
        head: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(str(folder), "this is not a run: it has no readable run.json", advice="write one with gammastar backtest ... --out") from error
    except ValueError as error:
        raise DataError(str(path), f"this is not JSON: {error}", advice="run the backtest again") from error
    if head.get("schema") != SCHEMA_VERSION:
        raise DataError(str(path), "the run has another schema version", got=head.get("schema"), allowed=str(SCHEMA_VERSION), advice="run the backtest again")
    return head


def load_track(folder: Path) -> Track:
    """Return the track of a saved run, equal to the one that was saved.

    Raises:
        DataError: a file is missing or damaged.
    """
    head = read_run(folder)
    try:
        return _load(folder, head)
    except (OSError, KeyError, ValueError) as error:
        raise DataError(str(folder), f"the run is damaged: {error}", advice="run the backtest again") from error


def _load(folder: Path, head: dict[str, Any]) -> Track:
    """Return the track from the files of a run."""
    frame = read_returns((folder / "returns.csv").read_text(encoding="utf-8"))
    told = head["track"]
    sessions = frame.index.to_numpy().astype("datetime64[D]")

    def column(name: str) -> Float[ndarray, " t"]:
        return frame[name].to_numpy(dtype=np.float64)

    cost = column("cost")
    return Track(
        name=told["name"],
        benchmark_name=told["benchmark_name"],
        start=np.datetime64(told["start"], "D"),
        sessions=sessions,
        frequency=Frequency[told["frequency"]],
        portfolio=column("portfolio"),
        benchmark=column("benchmark"),
        imputed_weight=column("imputed_weight"),
        attribution=Attribution(column("allocation"), column("captured_volatility"), cost, column("residual")),
        decomposition=Decomposition(
            boundary=column("generated_boundary"),
            l_divergence=column("generated_l_divergence"),
            flow=column("generated_flow"),
            execution=column("generated_execution"),
            cost=cost,
            residual=column("generated_residual"),
        )
        if "generated_boundary" in frame
        else None,
        forecast=Forecast(*(column(f"forecast_{part}") for part in ("tracking_error", "factor_share", "captured_volatility")))
        if "forecast_tracking_error" in frame
        else None,
        trading=Trading(column("traded_turnover_two_way"), column("traded_cost"), told["initial"]),
        holdings=_load_holdings(folder, sessions),
        compliance=_load_compliance(folder / "compliance.csv"),
        baselines={name: column(f"baseline_{name}") for name in told["baselines"]},
        index_level=_table(folder / "index.csv")["level"].to_numpy(dtype=np.float64) if (folder / "index.csv").exists() else None,
        facts=told["facts"],
    )


def _table(path: Path) -> pd.DataFrame:
    """Return a table written by `_csv`; text stays text."""
    import pandas as pd

    text = dict.fromkeys(("asset_id", "ticker", "name", "sector", "rule", "where", "verdict"), str)
    return pd.read_csv(path, dtype=text, keep_default_na=False, na_values={"level": [""]})


def _load_holdings(folder: Path, sessions: ndarray) -> Holdings:
    """Return the holdings of a saved run."""
    from pyarrow import parquet

    assets, tilts = _table(folder / "assets.csv"), _table(folder / "tilts.csv")
    labels = tuple(tilts.columns[2:])
    table = parquet.read_table(folder / "weights.parquet")
    rows = np.searchsorted(sessions, table["date"].to_numpy().astype("datetime64[D]"))
    coded = table["asset_id"].combine_chunks().dictionary_encode()
    position = {asset: k for k, asset in enumerate(assets["asset_id"])}
    columns = np.array([position[asset] for asset in coded.dictionary.to_pylist()])[coded.indices.to_numpy()]
    weights, benchmark = np.zeros((2, len(sessions), len(assets)))
    weights[rows, columns] = table["weight"].to_numpy()
    benchmark[rows, columns] = table["benchmark_weight"].to_numpy()
    return Holdings(
        Assets(tuple(assets["asset_id"]), tuple(assets["ticker"]), tuple(assets["name"])),
        weights,
        benchmark,
        labels,
        tilts[list(labels)].to_numpy(dtype=np.float64),
        tilts["size"].to_numpy(dtype=np.float64),
        np.array([labels.index(sector) for sector in assets["sector"]], dtype=np.int16),
        assets["relative_volatility"].to_numpy(dtype=np.float64) if "relative_volatility" in assets else None,
    )


def _load_compliance(path: Path) -> Compliance | None:
    """Return the compliance log of a saved run, None if its mandate had no rules."""
    if not path.exists():
        return None
    log = _table(path)
    return Compliance(
        session=log["date"].to_numpy().astype("datetime64[D]"),
        rule=tuple(log["rule"]),
        value=log["value"].to_numpy(dtype=np.float64),
        limit=log["limit"].to_numpy(dtype=np.float64),
        headroom=log["headroom"].to_numpy(dtype=np.float64),
        where=tuple(log["where"]),
        verdict=tuple(log["verdict"]),
    )
