"""Frames of yfinance, in memory: what `download` or `Ticker.history` returns."""

from __future__ import annotations

__all__ = ["YahooFrame"]

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from gammastar.errors import UsageError
from gammastar.store.findings import Findings
from gammastar.store.sources.adjusted import against_adjusted
from gammastar.store.sources.bars import Bars, returns_table, total_returns
from gammastar.store.sources.delivery import Delivery
from gammastar.store.sources.snapshots import IndexWeights, coded_texts, members_table, weights_from_bars

_FIELDS = ("Close", "Adj Close", "Volume", "Dividends", "Stock Splits")


@dataclass(frozen=True)
class YahooFrame:
    """A frame of yfinance: dates down, fields across; of several tickers, fields and tickers across in either order.

    Yahoo's closes, dividends and volumes are in shares of today, so no price is as traded unless the splits since are all in the frame.

    Args:
        ticker: of a frame of one ticker, whose columns do not say it.
        whole: the frame reaches to the day it was downloaded and has the column Stock Splits, so that prices as traded can be had back.
        weights: what index the names make.
        members: a table in the layout of members, under the same tickers as asset ids; None: `weights`.
        title: what the data is, in words.
        calendar: code of the exchange.
    """

    ticker: str = ""
    whole: bool = False
    weights: IndexWeights = IndexWeights.EQUAL
    members: Any = None
    title: str = "Yahoo Finance"
    calendar: str = "XNYS"

    def read(self, data: Any) -> Delivery:
        """Return members and returns of a frame.

        With a column Adj Close (``auto_adjust=False``) the return is made of Close and Dividends, and held against Adj Close. Without it
        (``auto_adjust=True``) Close is adjusted already, and its change is the total return.

        Raises:
            UsageError: it is no such frame.
        """
        findings = Findings()
        names, columns = self._long(data)
        bars, adjusted = _bars(names, columns)
        days = np.unique(bars.date)
        plain = not np.isfinite(adjusted).any()
        if not plain:
            for place in against_adjusted(bars, total_returns(bars, days)[0], adjusted)[:20]:
                findings.warn("yfinance", "adjusted-differs", str(place), column="Adj Close", value=f"{place.adjusted:.6g}")
        returns = returns_table(bars, days)
        at, end, weight = weights_from_bars(bars, days, self.weights)
        ids = coded_texts(bars.asset[at], bars.assets)
        members = members_table(end, ids, weight, ticker=ids, price=pa.array(bars.close[at]) if self.whole and not plain else None) if self.members is None else self.members
        if self.members is None:
            findings.warn("yfinance", "weights-made", f"the index has {self.weights.value} weights, which nobody publishes")
        if not self.whole or plain:
            returns = _without_prices(returns)
            findings.warn("yfinance", "price-not-as-traded", "prices are in shares of today and are not stored; whole = True undoes the splits of the frame")
        return Delivery(self.title, members, returns, calendar=self.calendar, remarks=tuple(findings.found))

    def _long(self, frame: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Return the tickers, and for each field an array of shape (t, n); dates under ``"date"``."""
        import pandas as pd

        if not isinstance(frame, pd.DataFrame) or not isinstance(frame.index, pd.DatetimeIndex):
            raise UsageError("YahooFrame", "this is no frame of yfinance", got=type(frame).__name__, allowed="a pandas frame with dates as its index",
                             advice="yfinance.download(tickers, auto_adjust=False, actions=True)")
        if frame.columns.nlevels == 1:
            if not self.ticker:
                raise UsageError("YahooFrame.ticker", "a frame of one ticker does not say which", allowed="a ticker", advice="YahooFrame(ticker='AAPL')")
            frame = pd.concat({self.ticker: frame}, axis=1)
        level = next((k for k in range(frame.columns.nlevels) if "Close" in set(frame.columns.get_level_values(k))), None)
        if level is None or frame.columns.nlevels > 2:
            raise UsageError("YahooFrame", "the frame has no field Close", got=", ".join(map(str, frame.columns[:5])), allowed="a frame of yfinance.download or Ticker.history")
        names = tuple(dict.fromkeys(str(name) for name in frame.columns.get_level_values(1 - level)))
        index = frame.index.tz_localize(None) if frame.index.tz is not None else frame.index
        columns: dict[str, Any] = {"date": index.normalize().to_numpy().astype("datetime64[D]")}
        for field in _FIELDS:
            if field in set(frame.columns.get_level_values(level)):
                columns[field] = frame.xs(field, axis=1, level=level).reindex(columns=list(names)).to_numpy(dtype=float)
        return names, columns


def _without_prices(returns: Any) -> Any:
    """Return the table without prices and splits; money traded stays, which is the same in shares of any day."""
    if "volume" in returns.column_names:
        returns = returns.append_column("traded_value", pyarrow.compute.multiply(returns.column("volume"), returns.column("price")))
    return returns.drop_columns([name for name in ("price", "split", "volume") if name in returns.column_names])


def _bars(names: tuple[str, ...], columns: dict[str, Any]) -> tuple[Bars, np.ndarray]:
    """Return bars as traded, as far as the frame's splits say, and the adjusted closes of their rows (NaN: there are none)."""
    close = columns["Close"]
    blank = np.full(close.shape, np.nan)
    adjusted = columns.get("Adj Close", blank)
    split = np.nan_to_num(columns.get("Stock Splits", blank))
    split = np.where(split > 0.0, split, 1.0)
    later = np.cumprod(split[::-1], axis=0)[::-1] / split  # shares of today for one of that day
    paid = np.nan_to_num(columns.get("Dividends", blank)) if "Adj Close" in columns else np.zeros(close.shape)
    if "Adj Close" not in columns:
        later, split = np.ones(close.shape), np.ones(close.shape)
    asset, session = np.nonzero((close > 0.0).T)
    dense = {"close": close * later, "dividend": paid * later, "split": split, "volume": columns.get("Volume", blank) / later}
    rows = {name: values[session, asset] for name, values in dense.items()}
    bars = Bars.sorted(names, {"asset": asset.astype(np.int64), "date": columns["date"][session], **rows})
    return bars, adjusted[session, asset]
