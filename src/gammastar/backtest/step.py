"""One session of a run: earn, trade what is due, decide."""

from __future__ import annotations

__all__ = ["Engine", "Session", "UnsolvedError"]

from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from gammastar.backtest.state import Pending, RunState
from gammastar.errors import ConflictError, GammastarError, StaleDataError, UsageError
from gammastar.mandate.strategy import Generated
from gammastar.market.missing import PATIENCE
from gammastar.optimise.decide import propose
from gammastar.optimise.problem import neutral_names
from gammastar.optimise.proposal import Proposal, Status
from gammastar.risk.online import up_to_date
from gammastar.trade.execution import execute
from gammastar.trade.ledger import Dividends, Event, Fills, Opening, Positions, Splits, apply_event, fold
from gammastar.trade.targets import fixed_targets, left_names, within_band, without_names

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from numpy import ndarray

    from gammastar.mandate.mandate import Mandate
    from gammastar.market.moment import Moment
    from gammastar.market.panel import Panel

INDEX_CHANGE = 1e-4
"""One-way change of the index weights, other than by returns, that a generated strategy follows at once (below it is rounding of weights)."""


class UnsolvedError(GammastarError):
    """The solver gave no answer; the run cannot go on (exit code 1)."""


@dataclass(frozen=True, eq=False)
class Session:
    """What happened at one session.

    Args:
        value_before: money before the trade.
        value: money after it.
        traded: sum of absolute traded money.
        cost: money paid.
        events: of the ledger.
        decision: the proposal made, or None.
        released: whether its targets are traded to (not in a conflict, unless the strategy is generated and has no other).
        ordered: the weights that were traded towards, shape (n,); None where nothing was, or only what left.
    """

    value_before: float
    value: float
    traded: float
    cost: float
    events: tuple[Event, ...]
    decision: Proposal | None
    released: bool = False
    ordered: Float[ndarray, " n"] | None = None

    @property
    def broken(self) -> tuple[str, ...]:
        """The rules that the released targets break."""
        if self.decision is None or not self.released:
            return ()
        return tuple(reading.rule for reading in self.decision.readings if reading.breached)


def _quiet_at(value: float) -> Session:
    """Return a session at which nothing happens."""
    return Session(value, value, 0.0, 0.0, (), None)


@dataclass(frozen=True, eq=False)
class Engine:
    """A mandate on a panel. `step` is one session of a run; `advance` is the same, but for sessions at which nothing is due, done at once.

    Raises:
        UsageError: whole shares on a panel without as-traded prices.
    """

    mandate: Mandate
    panel: Panel

    def __post_init__(self) -> None:
        if self.mandate.trading.whole_shares and self.panel.prices is None:
            raise UsageError("trading.whole_shares", "this panel has no as-traded prices and splits, so there are no shares to count",
                             advice="set whole_shares = false, or ingest a dataset with price and split columns in its returns")

    @cached_property
    def prices(self) -> Float[ndarray, "t n"]:
        """Price of one unit: as traded where whole shares are traded, else each asset's total-return index, 1 at the first session."""
        if self.mandate.trading.whole_shares and self.panel.prices is not None:
            return self.panel.prices.close
        return self.panel.growth

    @cached_property
    def reoptimises(self) -> Bool[ndarray, " t"]:
        """At which closes new targets are due."""
        return self.panel.calendar.ticks(self.mandate.clocks.reoptimise)

    @cached_property
    def rebalances(self) -> Bool[ndarray, " t"]:
        """At which closes holdings are traded back. A generated strategy also follows index changes at once."""
        ticks = self.panel.calendar.ticks(self.mandate.clocks.rebalance)
        if not isinstance(self.mandate.strategy, Generated):
            return ticks
        members = self.panel.benchmark > 0.0
        changed = np.concatenate(([False], (members[1:] != members[:-1]).any(axis=1)))
        return np.asarray(ticks | changed | (self.panel.index_change > INDEX_CHANGE))

    @cached_property
    def due(self) -> Int[ndarray, " d"]:
        """Positions of the closes at which the calendar or the index asks for something."""
        return np.flatnonzero(self.reoptimises | self.rebalances)

    @cached_property
    def suspect(self) -> Bool[ndarray, "t n"]:
        """Which names may have left at each close: those outside the benchmark, or without a return for as long as patience lasts.

        Where returns are corrected later, or the data begins, one session without is enough: those before it may have been without, too.
        """
        gone = ~self.panel.observed
        if self.panel.past is None:
            for before in range(1, PATIENCE):
                gone[PATIENCE:] &= ~self.panel.observed[PATIENCE - before : len(gone) - before]
        gone |= self.panel.benchmark == 0.0
        return gone

    @cached_property
    def year_begins(self) -> Int[ndarray, " t"]:
        """Position of the first session of the twelve months that end at each session."""
        months = self.panel.sessions.astype("datetime64[M]")
        year_ago = (months - np.timedelta64(12, "M")) + (self.panel.sessions - months)
        return np.asarray(np.searchsorted(self.panel.sessions, year_ago, side="right"))

    def open(self, start: int) -> tuple[RunState, Session]:
        """Return the run at the close of session `start`: the benchmark is held, free of cost, and the first decision is made."""
        n, capital = len(self.panel.assets), self.mandate.trading.capital
        quantity = capital * self.panel.benchmark[start] / self.prices[start]
        if self.mandate.trading.whole_shares:
            quantity = np.floor(quantity)
        cash = capital - float(quantity @ self.prices[start]) if self.mandate.trading.whole_shares else 0.0
        opening = Opening(self.panel.sessions[start], quantity, cash)
        nobody = np.zeros(n, dtype=bool)
        state = RunState(start, fold([opening], assets=n), None, nobody, nobody, None, formed=start)
        return self._close(state, start, (opening,), first=True)

    def resumed(self, state: RunState) -> Session:
        """Return the close at which an earlier run stopped: nothing is traded or decided there again."""
        return _quiet_at(float(state.positions.values(self.prices[state.position]).sum()))

    def weights(self, state: RunState, sessions: slice) -> Float[ndarray, "s n1"]:
        """Return the weights at closes between which nothing was traded, cash last; the positions are those of `state`."""
        money = state.positions.values(self.prices[sessions])
        return np.asarray(money / money.sum(axis=1, keepdims=True))

    def advance(self, state: RunState, last: int) -> tuple[RunState, tuple[Session, ...]]:
        """Return the run later, by session `last` at the latest, and what happened: at all quiet sessions to come, or else at the next one."""
        quiet = self._quiet(state, last)
        if quiet == 0:
            state, session = self.step(state)
            return state, (session,)
        money = state.positions.values(self.prices[state.position + 1 : state.position + 1 + quiet])
        return replace(state, position=state.position + quiet), tuple(_quiet_at(value) for value in money.sum(axis=1).tolist())

    def _quiet(self, state: RunState, last: int) -> int:
        """Return how many sessions come, up to `last`, before one at which something may be booked, traded or decided."""
        if self.mandate.trading.whole_shares:
            return 0
        start = state.position + 1
        ahead = self.due[np.searchsorted(self.due, start) :]
        stop = min([last + 1, *ahead[:1].tolist(), *(order.due for order in state.pending[:1])])
        if stop <= start:
            return 0
        if not isinstance(self.mandate.strategy, Generated):
            left = np.flatnonzero(self._may_have_left(state, slice(start, stop)))
            stop = start + int(left[0]) if len(left) else stop
        return int(stop - start)

    def step(self, state: RunState) -> tuple[RunState, Session]:
        """Return the run one session later, and what happened."""
        t = state.position + 1
        events = self._corporate_actions(state.positions, t)
        for event in events:
            state = replace(state, positions=apply_event(state.positions, event))
        state, session = self._close(replace(state, position=t), t, events, first=False)
        return (replace(state, formed=t) if self.rebalances[t] else state), session

    def _close(self, state: RunState, t: int, events: tuple[Event, ...], *, first: bool) -> tuple[RunState, Session]:
        """Trade what is due, decide, and with lag 0 trade what was just decided."""
        held = state.positions
        money = held.values(self.prices[t])
        before = float(money.sum())
        fills: list[Fills] = []
        due = [order.targets for order in state.pending if order.due == t]
        state = self._trade_due(state, t, fills)
        state, decision = self._decide(state, t, first=first)
        due += [order.targets for order in state.pending if order.due == t]
        state = self._trade_due(state, t, fills)
        if state.positions is not held:
            money = state.positions.values(self.prices[t])
        value = float(money.sum())
        traded = sum(float(np.abs(fill.quantity * fill.price).sum()) for fill in fills)
        cost = sum(float(fill.cost.sum()) for fill in fills)
        released = decision is not None and state.targets is decision.targets
        return state, Session(before, value, traded, cost, (*events, *fills), decision, released, due[-1] if due else None)

    def _corporate_actions(self, positions: Positions, t: int) -> tuple[Event, ...]:
        """Return splits and dividends of session t; with total-return units there are none."""
        if not self.mandate.trading.whole_shares or self.panel.prices is None:
            return ()
        session, split, held = self.panel.sessions[t], self.panel.prices.split[t], positions.quantity > 0.0
        events: list[Event] = []
        # what the total return holds beyond the price return was paid out
        per_share = self.prices[t - 1] * (1.0 + self.panel.returns[t]) - self.prices[t] * split
        paid = np.flatnonzero(held & (np.abs(per_share) > 1e-12 * self.prices[t]))
        if len(paid):
            events.append(Dividends(session, paid, positions.quantity[paid] * per_share[paid]))
        cut = np.flatnonzero(held & (split != 1.0))
        if len(cut):
            events.append(Splits(session, cut, split[cut]))
        return tuple(events)

    def _trade_due(self, state: RunState, t: int, fills: list[Fills]) -> RunState:
        """Make the trades due at the close of t."""
        while state.pending and state.pending[0].due == t:
            order, rest = state.pending[0], state.pending[1:]
            state = replace(state, pending=rest)
            money = state.positions.values(self.prices[t])
            weights = money / float(money.sum())
            if order.targets is None:
                target = without_names(weights, order.left)
            else:
                gone = order.left | (order.targets == 0.0)  # what is to go, goes: a band would keep a little of it for ever
                cash = 1.0 - float(order.targets.sum())
                target = within_band(weights, np.append(order.targets, cash if cash > 1e-9 else 0.0), self.mandate.trading.band, left=gone)
            policy, value = self.mandate.trading, float(money.sum())
            cost = policy.cost_at(self.panel.moment(t).with_holdings(weights[:-1], value))
            fill = execute(self.panel.sessions[t], state.positions, self.prices[t], target, cost=cost, whole=policy.whole_shares)
            if len(fill.columns):
                fills.append(fill)
                turned = (t, float(np.abs(fill.quantity * fill.price).sum()) / value)
                state = replace(state, positions=apply_event(state.positions, fill), turned=(*self._of_this_year(state, t), turned))
        return state

    def _decide(self, state: RunState, t: int, *, first: bool) -> tuple[RunState, Proposal | None]:
        """Find new targets where they are due, and order the trade where one is due."""
        decision, due = None, bool(first or self.reoptimises[t])
        generated = isinstance(self.mandate.strategy, Generated)
        if not due and not self.rebalances[t] and (generated or not self._may_have_left(state, slice(t, t + 1))[0]):
            return state, None
        moment = self._moment(state, t)
        if due:
            state, decision = self._reoptimise(state, moment, first=first)
        if self.rebalances[t] or (decision is not None and (first or not generated)):
            return self._order(state, self._targets(state, moment), moment), decision
        if not generated:
            left = left_names(moment)
            if (left & (state.positions.quantity > 0.0)).any() and not any(order.left[left].all() for order in state.pending):
                return self._order(state, None, moment), decision
        return state, decision

    def _may_have_left(self, state: RunState, span: slice) -> Bool[ndarray, " s"]:
        """Return at which closes of `span` a name is held that `left_names` could name."""
        return np.asarray((self.suspect[span] & (state.positions.quantity > 0.0)).any(axis=1))

    def _moment(self, state: RunState, t: int) -> Moment:
        """Return all that is known at the close of t, the holdings and the year's turnover included."""
        money = state.positions.values(self.prices[t])
        value = float(money.sum())
        moment = self.panel.moment(t).with_holdings(money[:-1] / value, value)
        return replace(moment, traded_this_year=sum(weight for _, weight in self._of_this_year(state, t)))

    def _of_this_year(self, state: RunState, t: int) -> tuple[tuple[int, float], ...]:
        """Return the trades of the twelve months that end at t: position and two-way traded weight."""
        return state.turned[bisect_left(state.turned, int(self.year_begins[t]), key=itemgetter(0)) :]

    def _estimated(self, state: RunState, moment: Moment) -> tuple[RunState, Moment]:
        """Return the state with its risk models up to date, and the moment with their estimates; one that a strategy can do without may be missing."""
        models = (state.risk, self.mandate.risk), (state.second_risk, self.mandate.second_risk)
        risk, second_risk = (None if model is None else up_to_date(known, model, self.panel, moment) for known, model in models)
        state = replace(state, risk=risk, second_risk=second_risk)
        if state.risk is None:
            return state, moment
        generated = isinstance(self.mandate.strategy, Generated)
        try:
            first = state.risk.estimate(moment)
        except StaleDataError:
            if generated:
                return state, moment
            raise
        second = None if state.second_risk is None or generated else state.second_risk.estimate(moment)
        return state, moment.with_risk(first, second)

    def _reoptimise(self, state: RunState, moment: Moment, *, first: bool) -> tuple[RunState, Proposal]:
        """Return the state with new targets; where the rules contradict each other or the solver fails, the old ones stay in force."""
        state, moment = self._estimated(state, moment)
        proposal = propose(self.mandate, moment, warm=state.warm)
        generated = isinstance(self.mandate.strategy, Generated)
        if proposal.status is Status.UNSOLVED and first:
            raise UnsolvedError(str(moment.session), f"no target weights: {proposal.advice}", advice="gammastar propose on this date shows the rules at work")
        if proposal.status is Status.CONFLICT and first and not generated:
            raise ConflictError(str(moment.session), proposal.advice, got=", ".join(proposal.conflict),
                                advice="loosen one of these rules, or start on another date")
        state = replace(state, covariance=proposal.moment.covariance, warm=proposal.warm or state.warm)
        if proposal.status is Status.UNSOLVED or (proposal.status is Status.CONFLICT and not generated):
            return state, proposal
        reset = np.zeros(len(moment.assets), dtype=bool) if generated else neutral_names(self.mandate, moment)
        return replace(state, targets=proposal.targets, reset=reset, members=moment.members), proposal

    def _targets(self, state: RunState, moment: Moment) -> Float[ndarray, " n"]:
        """Return the weights to trade to: generated anew, or the fixed targets as they stand now."""
        if isinstance(self.mandate.strategy, Generated):
            weights = self.mandate.strategy.function.weights(moment.benchmark)
            if weights.min() < -1e-12:
                raise ConflictError(str(moment.session), "the generated weights are not long-only", got=f"{weights.min():.4%} of {moment.assets.label(int(weights.argmin()))}",
                                    allowed="0 or more", advice="turn the bet dial down")  # fmt: skip
            return weights
        if state.targets is None:
            raise ValueError("there are no targets before the first decision")
        reset = state.reset | neutral_names(self.mandate, moment) | (moment.members & ~state.members)
        return fixed_targets(state.targets, reset, moment)

    def _order(self, state: RunState, targets: Float[ndarray, " n"] | None, moment: Moment) -> RunState:
        """Return the state with a trade ordered, due after the mandate's lag."""
        left = ~moment.members if isinstance(self.mandate.strategy, Generated) else left_names(moment)
        order = Pending(state.position + self.mandate.clocks.lag, targets, left)
        return replace(state, pending=(*state.pending, order))
