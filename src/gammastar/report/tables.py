"""A track as pandas frames and as CSV text that keeps every digit."""

from __future__ import annotations

__all__ = ["read_returns", "returns_csv", "returns_frame"]

import io
from typing import TYPE_CHECKING, Final

from gammastar.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from gammastar.market.track import Track

_PARTS: Final = {
    "attribution": ("allocation", "captured_volatility", "cost", "residual"),
    "decomposition": ("boundary", "l_divergence", "flow", "execution", "residual"),
    "forecast": ("tracking_error", "factor_share", "captured_volatility"),
    "trading": ("turnover_two_way", "cost"),
}
_PREFIXES: Final = {"attribution": "", "decomposition": "generated_", "forecast": "forecast_", "trading": "traded_"}


def returns_frame(track: Track) -> pd.DataFrame:
    """Return one row a session: simple returns `portfolio` and `benchmark`, then the parts the track holds.

    The index is named ``date``. Columns of the attribution have their own names (log returns); those of a generated strategy's decomposition
    begin with ``generated_``, forecasts (annual) with ``forecast_``, trading (fractions of value) with ``traded_``, baselines (simple returns) with ``baseline_``.
    """
    import pandas as pd

    columns = {"portfolio": track.portfolio, "benchmark": track.benchmark}
    for part, names in _PARTS.items():
        held = getattr(track, part)
        if held is not None:
            columns |= {_PREFIXES[part] + name: getattr(held, name) for name in names}
    if track.imputed_weight is not None:
        columns["imputed_weight"] = track.imputed_weight
    columns |= {f"baseline_{name}": returns for name, returns in track.baselines.items()}
    return pd.DataFrame(columns, index=pd.DatetimeIndex(track.sessions, name="date"))


def returns_csv(track: Track) -> str:
    """Return `returns_frame` as CSV; floats have the shortest form that reads back to the same bits, so equal tracks give equal bytes."""
    frame = returns_frame(track)
    return str(frame.to_csv(date_format="%Y-%m-%d", lineterminator="\n", float_format=_exact))


def _exact(value: object) -> str:
    return repr(float(value)) if isinstance(value, float) else str(value)


def read_returns(text: str, *, where: str = "returns.csv") -> pd.DataFrame:
    """Return the frame that `returns_csv` wrote, bit for bit (from pandas 3 on, read_csv rounds correctly by default).

    Args:
        text: the contents of the file.
        where: its name, for messages.

    Raises:
        DataError: there is no column `date`, `portfolio` or `benchmark`, or a value that is not what its column holds.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(io.StringIO(text), parse_dates=["date"], index_col="date")
        frame = frame.astype(float)
    except ValueError as error:  # pandas raises its parser errors as ValueError too
        raise DataError(
            where, "this is not a table of returns", got=str(error), advice="write it again with `gammastar report RUN`"
        ) from error
    missing = [name for name in ("portfolio", "benchmark") if name not in frame.columns]
    if missing:
        raise DataError(
            where,
            f"there is no column {' or '.join(missing)}",
            got=", ".join(map(str, frame.columns)),
            allowed="date, portfolio, benchmark, ...",
        )
    return frame
