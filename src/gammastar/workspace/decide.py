"""The verbs of one decision: validate, propose, check, write what was decided."""

from __future__ import annotations

__all__ = ["check_file", "propose_targets", "validate_mandate", "write_orders", "write_targets"]

from typing import TYPE_CHECKING

from gammastar.workspace.opening import moment_on, open_panel, refuse_unknown_assets

if TYPE_CHECKING:
    from pathlib import Path

    from gammastar.mandate import Mandate, Reading
    from gammastar.optimise import Proposal


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
    moment = moment_on(open_panel(data, frequency), on)
    refuse_unknown_assets(signed, moment, mandate)
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
    moment = moment_on(open_panel(data, frequency), on)
    refuse_unknown_assets(signed, moment, mandate)
    held = read_weights(weights, moment.assets)
    if any(rule.needs_covariance for rule in signed.rules) and signed.risk is not None:
        moment = moment.with_risk(signed.risk.estimate(moment.with_holdings(held)))
    if holdings is not None:
        moment = moment.with_holdings(read_weights(holdings, moment.assets))
    return check_weights(signed, held, moment), unmeasured_rules(signed, moment)
