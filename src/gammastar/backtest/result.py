"""What a run gives back."""

from __future__ import annotations

__all__ = ["Decision", "Result"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gammastar.report import returns_frame, summarise, summary, tear_sheet

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from gammastar.backtest.state import RunState
    from gammastar.mandate.mandate import Mandate
    from gammastar.market.track import Track
    from gammastar.optimise.proposal import Proposal
    from gammastar.trade.ledger import Event


@dataclass(frozen=True)
class Decision:
    """The record of one decision of a run."""

    session: np.datetime64
    status: str
    tracking_error: float | None
    captured_volatility: float | None
    active_share: float
    names: int
    turnover_two_way: float
    broken: tuple[str, ...]
    conflict: tuple[str, ...]
    prices_bp: dict[str, float]
    fingerprint: str

    @classmethod
    def of(cls, proposal: Proposal, broken: tuple[str, ...]) -> Decision:
        """Return the record of a proposal; `broken` names the rules that its released targets break."""
        forecast = proposal.forecast
        return cls(
            session=proposal.moment.session,
            status=proposal.status.value,
            tracking_error=None if forecast is None else forecast.tracking_error,
            captured_volatility=None if forecast is None else forecast.captured_volatility,
            active_share=proposal.active_share,
            names=proposal.names,
            turnover_two_way=proposal.turnover_two_way,
            broken=broken,
            conflict=proposal.conflict,
            prices_bp=proposal.prices,
            fingerprint=proposal.fingerprint,
        )


@dataclass(frozen=True, eq=False)
class Result:
    """A finished backtest.

    Args:
        mandate: that was run.
        track: the track record.
        decisions: one a re-optimisation.
        events: of the ledger; their fold is `state.positions`.
        state: at the end; a run can go on from it.
        wall_seconds: it took.
    """

    mandate: Mandate
    track: Track
    decisions: tuple[Decision, ...]
    events: tuple[Event, ...]
    state: RunState
    wall_seconds: float

    @property
    def fingerprint(self) -> str:
        """SHA-256 of mandate, data, dates and version: runs with the same one have the same returns and weights to the bit."""
        return self.track.facts["fingerprint"]

    @property
    def returns(self) -> pd.DataFrame:
        """Returns and their parts, one row a session."""
        return returns_frame(self.track)

    @property
    def weights(self) -> pd.DataFrame:
        """Weights after trading, one row a session, one column an asset held at some time."""
        import pandas as pd

        holdings = self.track.holdings
        if holdings is None:
            return pd.DataFrame()
        frame = pd.DataFrame(holdings.weights, index=pd.DatetimeIndex(self.track.sessions, name="date"), columns=list(holdings.assets.ids))
        return frame.loc[:, (frame != 0.0).any(axis=0)]

    def to_dict(self) -> dict[str, Any]:
        """Return the statistics as plain values, with what identifies the run."""
        return {
            **summarise(self.track).to_dict(),
            "decisions": len(self.decisions),
            "conflicts": sum(decision.status == "CONFLICT" for decision in self.decisions),
            "unsolved": sum(decision.status == "UNSOLVED" for decision in self.decisions),
            "wall_seconds": self.wall_seconds,
            "fingerprint": self.fingerprint,
        }

    def summary(self) -> str:
        """Return the run in words and numbers, for a terminal."""
        return summary(self.track)

    def tear_sheet(self) -> str:
        """Return the tear sheet: one HTML page that needs nothing else."""
        return tear_sheet(self.track)
