"""Target weights: `propose` is the only road to them."""

__all__ = ["Forecast", "Frontier", "Proposal", "Relaxation", "Replay", "Status", "WeightExplanation", "explain_weight", "frontier", "proposal_text", "propose", "replay_proposal"]

from gammastar.optimise.decide import propose
from gammastar.optimise.frontier import Frontier, frontier
from gammastar.optimise.proposal import Forecast, Proposal, Relaxation, Status
from gammastar.optimise.replay import Replay, proposal_text, replay_proposal
from gammastar.optimise.why import WeightExplanation, explain_weight
