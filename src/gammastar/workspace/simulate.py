"""The verbs of simulated markets: each writes a dataset that `ingest` reads."""

from __future__ import annotations

__all__ = ["simulate_market", "simulate_model"]

import datetime as dt
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from gammastar.errors import UsageError
from gammastar.workspace.opening import parse_date

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from gammastar.simulate import History, ModelMarket, SimulatedMarket
    from gammastar.simulate.presets import Preset

DEFAULT_YEARS = 10.0
LARGEST_PATH = 2**28  # bytes: about thirteen times as many are needed on the way to a dataset


def simulate_market(out: Path, *, seed: int, members: int | None = None, listed: int | None = None) -> SimulatedMarket:
    """Simulate a large-cap market, write it as a dataset that `ingest` reads, and return it with its truth.

    Args:
        out: folder to write.
        seed: of the random numbers; the same seed gives the same bytes.
        members: names in the index; default the model's.
        listed: names listed in all; default the model's.

    Raises:
        UsageError: a number out of range, or `out` is a file; nothing is written.
    """
    from gammastar.simulate import LargeCapMarket
    from gammastar.store import write_dataset

    _refuse_file(out)
    model = LargeCapMarket()
    with _usage({"members", "listed"}):
        model = replace(model, members=members or model.members, listed=listed or model.listed)
    market = model.simulate(seed)
    write_dataset(market.panel, out)
    return market


def simulate_model(
    preset: Preset, out: Path, *, seed: int, start: str | None = None, years: float | None = None, sessions: int | None = None
) -> ModelMarket:
    """Simulate a market model on the sessions of the New York exchange, write it as a dataset that `ingest` reads, and return it beside its closed forms.

    Args:
        preset: the model, by a few numbers; see `gammastar.simulate.presets`.
        out: folder to write.
        seed: of the random numbers; the same seed gives the same bytes, and more sessions only add.
        start: the first session is on this date or after it, YYYY-MM-DD; default 2010-01-04.
        years: of 252 sessions; default 10.
        sessions: instead of years: closes, the first included.

    Raises:
        UsageError: a number out of range, dates without a calendar, or `out` is a file; nothing is written.
    """
    from gammastar.simulate import simulate_history
    from gammastar.store import write_dataset

    _refuse_file(out)
    with _usage({item.name for item in fields(preset)}):  # type: ignore[arg-type]
        setup = preset.build()
    history = _history(start, years, sessions)
    if 8 * len(setup.model) * history.sessions > LARGEST_PATH:
        raise UsageError("--names and --sessions", "a path takes at most 256 MiB", got=f"{len(setup.model):,} names over {history.sessions:,} sessions",
                         allowed=f"{LARGEST_PATH // (8 * len(setup.model)):,} sessions for so many names", advice="take fewer of one of them")  # fmt: skip
    with _usage(()):
        market = simulate_history(setup, seed, history)
    write_dataset(market.panel, out)
    return market


def _history(start: str | None, years: float | None, sessions: int | None) -> History:
    """Return when a path is seen; its calendar is there."""
    from gammastar.simulate import History
    from gammastar.simulate.parameters import require

    if years is not None and sessions is not None:
        raise UsageError("--years and --sessions", "both say how long", got=f"{years:g} and {sessions}", advice="give one of them")
    with _usage({"years", "sessions"}):
        if sessions is None:
            length = DEFAULT_YEARS if years is None else years
            require(0.01, 200.0, "It is a number of years.", years=length)
            sessions = max(3, round(252.0 * length) + 1)
        history = History(sessions=sessions)
    if start is not None:
        history = replace(history, start=dt.date.fromisoformat(str(parse_date("--from", start))))
    try:
        history.calendar()
    except ValueError as error:
        raise UsageError("--from", f"there is no calendar for {history.sessions:,} sessions from that day on", got=str(history.start),
                         advice="choose another first day, or fewer sessions") from error  # fmt: skip
    return history


def _refuse_file(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError("--out", "this is a file", got=str(out), advice="name a folder")


@contextmanager
def _usage(options: Collection[str]) -> Iterator[None]:
    """Tell a number out of range under the option it came from."""
    from gammastar.simulate.parameters import ParameterError

    try:
        yield
    except ParameterError as error:
        if error.name not in options:
            raise UsageError("the market", f"these numbers do not fit together: {str(error).rstrip('.')}", advice="change one of the options") from error
        said = error.advice.rstrip(".")
        raise UsageError(f"--{error.name.replace('_', '-')}", said[:1].lower() + said[1:], got=error.value, allowed=error.allowed,
                         advice="choose a number in that range") from error  # fmt: skip
    except ValueError as error:
        raise UsageError("the market", str(error).rstrip("."), advice="change one of the options") from error
