"""Closed forms beside the figures of a path, and how they are told: as a table, as plain values, as a frame."""

from __future__ import annotations

__all__ = ["Comparison", "Unit", "comparison_dicts", "comparison_frame", "index_facts", "market_lines"]

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from gammastar.core.measures import compound_return, volatility
from gammastar.core.rank_generating import ranked_weights

if TYPE_CHECKING:
    import pandas as pd

    from gammastar.market.panel import Panel


class Unit(Enum):
    """What a quantity is counted in: how it is told, and what it is multiplied by for that."""

    FRACTION_A_YEAR = ("% a year", 100.0)
    FRACTION = ("%", 100.0)
    LOG = ("log", 1.0)
    LOG_A_YEAR = ("log a year", 1.0)
    A_YEAR = ("a year", 1.0)
    NUMBER = ("", 1.0)


@dataclass(frozen=True)
class Comparison:
    """A closed form beside the path's own figure.

    Args:
        quantity: in words.
        unit: how both are told; they are fractions where that is percent.
        exact: closed form, or the mean of the truth. Where it depends on the weights, its mean over the path's own.
        path: the figure of the path.
        error: standard error of the figure about its closed form, over one path; None where none is known.

    >>> Comparison("mean gap below rank 1", Unit.LOG, exact=0.5, path=0.6, error=0.05).score
    2.0
    """

    quantity: str
    unit: Unit
    exact: float
    path: float
    error: float | None

    @property
    def score(self) -> float | None:
        """By how many standard errors the path lies above the closed form."""
        return None if not self.error else round((self.path - self.exact) / self.error, 12)

    def __str__(self) -> str:
        """Return one line of the table, of the widths of its head."""
        unit, scale = self.unit.value
        error = "" if self.error is None else _digits(scale * self.error)
        return f"{self.quantity:<44}{unit:<12}{_digits(scale * self.exact):>13}{_digits(scale * self.path):>12}{error:>12}"


def comparison_dicts(rows: tuple[Comparison, ...]) -> list[dict[str, object]]:
    """Return the comparisons as plain values, fractions where the unit says so."""
    return [
        {"quantity": row.quantity, "unit": row.unit.name.lower(), "closed_form": row.exact, "path": row.path, "standard_error": row.error} for row in rows
    ]


def comparison_frame(rows: tuple[Comparison, ...]) -> pd.DataFrame:
    """Return one row a quantity, with unit, closed form, figure of the path, standard error and score; rates are fractions."""
    import pandas as pd

    values = [(row.unit.name.lower(), row.exact, row.path, row.error, row.score) for row in rows]
    names = pd.Index([row.quantity for row in rows], name="quantity")
    frame = pd.DataFrame(values, index=names, columns=["unit", "closed_form", "path", "standard_error", "score"])
    return frame.astype({"standard_error": "float64", "score": "float64"})


def index_facts(panel: Panel) -> dict[str, float]:
    """Return what the index of a panel is like: compound return and volatility a year, and the weight of its largest names at both ends; fractions."""
    returns, periods = panel.benchmark_returns[1:], panel.frequency.periods
    first, last = ranked_weights(panel.benchmark[[0, -1]])
    return {
        "compound_return": float(compound_return(returns, periods)),
        "volatility": float(volatility(returns, periods)),
        "largest_first": float(first[0]),
        "largest_last": float(last[0]),
        "ten_largest_first": float(first[:10].sum()),
        "ten_largest_last": float(last[:10].sum()),
    }


def market_lines(panel: Panel, rows: tuple[Comparison, ...], known: str) -> list[str]:
    """Return the market in words and the comparisons as a table.

    Args:
        panel: the market.
        rows: of the table.
        known: head of the column of closed forms.
    """
    facts = index_facts(panel)
    index = f"{100 * facts['compound_return']:.2f}% a year at {100 * facts['volatility']:.1f}% volatility"
    years = (len(panel) - 1) / panel.frequency.periods
    return [
        panel.source,
        f"{len(panel):,} sessions of {panel.calendar.name}, {panel.sessions[0]} to {panel.sessions[-1]}: {years:.4g} years, one step of 1/252 a session",
        f"index {index}; largest name {_percents(facts, 'largest')}, ten largest {_percents(facts, 'ten_largest')} (first and last session)",
        "",
        f"{'':<56}{known:>13}{'this path':>12}{'std. error':>12}",
        *map(str, rows),
    ]


def _percents(facts: dict[str, float], what: str) -> str:
    return " and ".join(f"{100 * facts[f'{what}_{end}']:.1f}%" for end in ("first", "last"))


def _digits(value: float) -> str:
    """Return four digits."""
    return f"{value:.4g}" if abs(value) < 1e-3 else f"{value:#.4g}".rstrip(".")
