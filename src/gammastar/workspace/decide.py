"""The verbs of one decision: validate, propose, check, write what was decided."""

from __future__ import annotations

__all__ = [
    "Decision",
    "check_file",
    "draw_frontier",
    "explain_target",
    "propose_targets",
    "replay_file",
    "validate_mandate",
    "write_figure",
    "write_orders",
    "write_proposal",
    "write_targets",
]

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gammastar.errors import DataError, UsageError
from gammastar.workspace.opening import moment_on, open_panel, refuse_unknown_assets

if TYPE_CHECKING:
    from pathlib import Path

    import plotly.graph_objects as go

    from gammastar.mandate import Mandate, Reading
    from gammastar.market.moment import Moment
    from gammastar.optimise import Frontier, Proposal, Replay, WeightExplanation


def validate_mandate(path: Path) -> Mandate:
    """Return the mandate of a file, or raise with the line and the key that are wrong."""
    from gammastar.mandate import Mandate

    return Mandate.load(path)


@dataclass(frozen=True)
class Decision:
    """What one decision is made from: a mandate, a store, a date, holdings.

    Args:
        mandate: file.
        data: store.
        on: session, YYYY-MM-DD: what was known at its close.
        holdings: CSV with asset_id,weight; None for the benchmark.
        frequency: daily or monthly; None for daily where there are daily returns.
        flow: money paid in (positive) or out before the trade.
    """

    mandate: Path
    data: Path
    on: str
    holdings: Path | None = None
    frequency: str | None = None
    flow: float = 0.0

    def open(self) -> tuple[Mandate, Moment]:
        """Return the mandate and the moment.

        Raises:
            StaleDataError: the data does not reach that date.
            WeightsError: the holdings file is wrong.
        """
        from gammastar.mandate import Mandate

        signed = Mandate.load(self.mandate)
        moment = moment_on(open_panel(self.data, self.frequency), self.on)
        refuse_unknown_assets(signed, moment, self.mandate)
        if self.holdings is not None:
            from gammastar.trade import read_weights

            moment = moment.with_holdings(read_weights(self.holdings, moment.assets))
        if self.flow:
            held = moment.benchmark if moment.holdings is None else moment.holdings
            try:
                moment = moment.with_holdings(held, signed.trading.capital).with_flow(self.flow)
            except ValueError as error:
                raise UsageError("--flow", str(error), advice="the value before the flow is trading.capital of the mandate") from error
        return signed, moment


def propose_targets(decision: Decision, *, relax: bool = False) -> Proposal:
    """Return target weights; with `relax`, rules that contradict each other give way by priority."""
    from gammastar.optimise import propose

    return propose(*decision.open(), relax=relax)


def draw_frontier(decision: Decision, rule: str, limits: tuple[float, float], points: int) -> Frontier:
    """Return the best expected growth against the limit of one rule, at so many points between two limits."""
    import numpy as np

    from gammastar.optimise import frontier

    low, high = limits
    if points < 2 or not low < high:
        raise UsageError("--from, --to, --points", "a frontier needs two limits or more", got=f"{low:g} to {high:g} in {points} points", advice="give a lower and a higher limit")
    return frontier(*decision.open(), rule, np.linspace(low, high, points).tolist())


def explain_target(decision: Decision, asset: str) -> WeightExplanation:
    """Return why the target weight of one asset is what it is."""
    from gammastar.optimise import explain_weight

    return explain_weight(*decision.open(), asset)


def write_proposal(proposal: Proposal, out: Path) -> None:
    """Write the whole problem of a proposal and its answer to one file, which `replay_file` solves again."""
    from gammastar.optimise import proposal_text

    _write(out, proposal_text(proposal))


def replay_file(path: Path) -> Replay:
    """Return whether the problem of a proposal file is solved again to the same bytes.

    Raises:
        DataError: there is no such file, or it is no proposal.
    """
    from gammastar.optimise import replay_proposal

    try:
        whole = path.read_bytes()
    except OSError as error:
        raise DataError(str(path), f"the file cannot be read ({error.strerror})", advice="gammastar propose --out FILE writes one") from error
    return replay_proposal(whole, str(path))


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


def write_figure(figure: go.Figure, out: Path) -> None:
    """Write a figure to an HTML page that needs no network."""
    _write(out, figure.to_html(include_plotlyjs=True, div_id="figure"))


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
    moment = moment_on(open_panel(data, frequency), on)
    refuse_unknown_assets(signed, moment, mandate)
    held = read_weights(weights, moment.assets)
    if any(rule.needs_covariance for rule in signed.rules) and signed.risk is not None:
        moment = moment.with_risk(signed.risk.estimate(moment.with_holdings(held)))
    if holdings is not None:
        moment = moment.with_holdings(read_weights(holdings, moment.assets))
    return check_weights(signed, held, moment), unmeasured_rules(signed, moment)
