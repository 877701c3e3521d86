"""A proposal file holds the whole problem, and it is solved again to the same bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gammastar.core.costs import TradeCost
from gammastar.errors import DataError, UsageError
from gammastar.mandate import (
    ActiveShare,
    ActiveWeight,
    Cash,
    GroupActive,
    Mandate,
    TopWeights,
    TrackingError,
    TradingPolicy,
    Turnover,
    WeightBounds,
)
from gammastar.mandate.strategy import Generated
from gammastar.optimise import Status, proposal_text, propose, replay_proposal
from gammastar.optimise.replay import _decode, _encode

if TYPE_CHECKING:
    from pathlib import Path


def made(bench: Any, seed: int, *rules: Any) -> Any:
    rng = np.random.default_rng(seed)
    m = bench.moment(rng, 60, short=4, outside=2)
    held = m.benchmark * np.exp(rng.normal(0.0, 0.1, 60))
    return propose(Mandate(rules=rules, trading=TradingPolicy(cost=0.0005), data=bench.policy), replace(m, holdings=0.98 * held / held.sum()))


SOME = (TrackingError(0.02, target=0.015), ActiveWeight(0.01), GroupActive(0.01, penalty=2.0), ActiveShare(0.3), Turnover(0.6), TopWeights(5, 0.5), Cash(0.005, 0.01))


@pytest.mark.parametrize("seed", range(4))
def test_a_proposal_is_solved_again_to_the_same_bytes(bench: Any, tmp_path: Path, seed: int) -> None:
    found = made(bench, seed, *SOME[: 3 + seed])
    assert found.status is Status.OPTIMAL
    path = tmp_path / "proposal.json"
    path.write_text(proposal_text(found), encoding="utf-8")
    again = replay_proposal(path.read_bytes(), path.name)
    assert again.same, again.differences
    told = json.loads(path.read_text())["answer"]["targets"]
    ids = found.moment.assets.ids
    assert told == {ids[i]: float(found.targets[i]) for i in np.flatnonzero(found.targets)}


def test_a_conflict_is_replayed_too(bench: Any, tmp_path: Path) -> None:
    found = made(bench, 1, ActiveWeight(0.001), WeightBounds(maximum=0.01))
    assert found.status is Status.CONFLICT
    path = tmp_path / "proposal.json"
    path.write_text(proposal_text(found), encoding="utf-8")
    again = replay_proposal(path.read_bytes(), path.name)
    assert again.same
    assert again.status == "infeasible"


def test_a_changed_file_is_found_out(bench: Any, tmp_path: Path) -> None:
    found = made(bench, 2, *SOME[:2])
    path, told = tmp_path / "proposal.json", json.loads(proposal_text(found))
    name = max(told["answer"]["targets"], key=told["answer"]["targets"].get)
    told["answer"]["targets"][name] += 1e-12
    path.write_text(json.dumps(told, sort_keys=True, indent=1) + "\n", encoding="utf-8")
    again = replay_proposal(path.read_bytes(), path.name)
    assert not again.same
    assert any("targets" in line for line in again.differences)
    path.write_text(proposal_text(found) + " ", encoding="utf-8")
    assert not replay_proposal(path.read_bytes(), path.name).same


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "gammastar proposal 1"}', '{"format": "other", "mandate": 1, "session": 1, "fingerprint": 1, "assets": []}', "\x00"])
def test_what_is_no_proposal_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "proposal.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="not a proposal file"):
        replay_proposal(path.read_bytes(), path.name)


def test_only_values_of_the_problem_are_made_from_a_file(bench: Any, tmp_path: Path) -> None:
    told = json.loads(proposal_text(made(bench, 2, *SOME[:2])))
    told["problem"]["type"] = "Path"
    path = tmp_path / "proposal.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(DataError, match="not a proposal file"):
        replay_proposal(path.read_bytes(), path.name)


def test_one_array_stays_one_array() -> None:
    shared = np.arange(3.0)
    arrays: list[Any] = []
    told = _encode((TradeCost(shared, shared), shared), {}, arrays)
    assert len(arrays) == 1
    cost, other = _decode(told, [np.arange(3.0)])
    assert cost.buy is cost.sell is other


def test_a_generated_strategy_has_no_problem(bench: Any) -> None:
    m = bench.moment(np.random.default_rng(0), 20)
    with pytest.raises(UsageError, match="poses no problem"):
        proposal_text(propose(Mandate(strategy=Generated()), m))
