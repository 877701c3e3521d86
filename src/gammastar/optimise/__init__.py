"""Target weights: `propose` is the only road to them."""

__all__ = ["Forecast", "Proposal", "Relaxation", "Status", "propose"]

from gammastar.optimise.decide import propose
from gammastar.optimise.proposal import Forecast, Proposal, Relaxation, Status
