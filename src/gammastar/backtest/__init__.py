"""Time: a mandate run on a panel, session by session."""

__all__ = ["Decision", "Result", "RunState", "run_backtest"]

from gammastar.backtest.result import Decision, Result
from gammastar.backtest.run import run_backtest
from gammastar.backtest.state import RunState
