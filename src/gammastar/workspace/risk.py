"""The verb of risk: how far a mandate's forecasts held."""

from __future__ import annotations

__all__ = ["evaluate_risk"]

import json
import re
from typing import TYPE_CHECKING, Final

from gammastar.errors import UsageError
from gammastar.workspace.opening import open_panel, parse_date

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gammastar.risk.evaluate import Span
    from gammastar.risk.study import RiskStudy

_YEARS: Final = re.compile(r"(\d{4})(?:-(\d{4}))?")
_DATES: Final = re.compile(r"(\d{4}-\d{2}-\d{2}):(\d{4}-\d{2}-\d{2})")
FILES: Final = ("risk.html", "risk.json", "forecasts.csv")


def evaluate_risk(
    mandate: Path, data: Path, dates: tuple[str | None, str | None] = (None, None), windows: str | None = None,
    *, out: Path | None = None, progress: Callable[[int, int], None] | None = None,
) -> RiskStudy:  # fmt: skip
    """Return how far the forecasts of a mandate's risk model held on a store, and write it to `out`.

    Args:
        mandate: file.
        data: store; its daily panel is used.
        dates: first close, default the first re-optimising close with enough history; last session, default the last of the data.
        windows: separated by commas: years (2015), ranges of years (2008-2012) or of dates (2008-01-01:2012-12-31); default the calendar years.
            The whole record is always the first window.
        out: folder to write `FILES` to.
        progress: called with decisions done and decisions in all.

    Raises:
        UsageError: a window that cannot be read, or `out` is a file; found before anything is run.
        StaleDataError: the data does not reach the dates, or a window holds forecasts of fewer than two months.
    """
    from gammastar.backtest.forecasting import study_risk
    from gammastar.mandate import Mandate

    signed = Mandate.load(mandate)
    start, end = (None if day is None else parse_date(option, day) for option, day in zip(("--from", "--to"), dates, strict=True))
    asked = None if windows is None else tuple(_window(text.strip()) for text in windows.split(","))
    if out is not None and out.exists() and not out.is_dir():
        raise UsageError("--out", "this is a file", got=str(out), advice="name a folder")
    panel = open_panel(data, "daily")
    study = study_risk(signed, panel, (start, end), asked, progress=progress)
    if out is not None:
        _write(study, out)
    return study


def _window(text: str) -> Span:
    """Return the window that a text names."""
    from gammastar.risk.evaluate import Span

    years, dates = _YEARS.fullmatch(text), _DATES.fullmatch(text)
    if years is not None:
        first, last = years[1], years[2] or years[1]
        span = Span(text, f"{first}-01-01", f"{last}-12-31")
    elif dates is not None:
        span = Span(text, *(str(parse_date("--windows", day)) for day in dates.groups()))
    else:
        raise UsageError("--windows", "there is no such window", got=text or "nothing", allowed="2015, 2008-2012, or 2008-01-01:2012-12-31, separated by commas",
                         advice="write for instance --windows 2008-2012,2013-2016")  # fmt: skip
    if span.last < span.first:
        raise UsageError("--windows", "this window ends before it starts", got=text, advice="turn it round")
    return span


def _write(study: RiskStudy, out: Path) -> None:
    from gammastar.report import forecasts_csv, risk_page

    out.mkdir(parents=True, exist_ok=True)
    told = json.dumps(study.to_dict(), indent=1, allow_nan=False) + "\n"
    for name, text in zip(FILES, (risk_page(study), told, forecasts_csv(study)), strict=True):
        (out / name).write_text(text, encoding="utf-8")
