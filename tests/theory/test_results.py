"""Every answer of the room of theory can be printed, shown in a notebook, taken as a frame, as plain values, and drawn."""

from __future__ import annotations

import datetime as dt
import inspect
import json
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go
import pytest

import gammastar.theory
from gammastar.core.generating import Diversity
from gammastar.simulate import LargeCapMarket

if TYPE_CHECKING:
    from gammastar.market.panel import Panel

FUNCTIONS = [name for name in gammastar.theory.__all__ if inspect.isfunction(getattr(gammastar.theory, name))]


@pytest.fixture(scope="module")
def panel() -> Panel:
    """A year of a small market."""
    return LargeCapMarket(members=20, listed=25, start=dt.date(2018, 1, 2), end=dt.date(2018, 12, 31)).simulate(1).panel


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_answer_has_all_its_readings(panel: Panel, name: str) -> None:
    function = getattr(gammastar.theory, name)
    given = {"function": Diversity(0.5), "panel": panel}
    answer = function(**{key: given[key] for key in inspect.signature(function).parameters if key in given})
    assert len(str(answer).splitlines()) > 2
    page = answer._repr_html_()
    assert page.startswith("<")
    assert str(answer).split()[0].rstrip(",") in page
    assert isinstance(answer.to_pandas(), pd.DataFrame)
    assert isinstance(answer.plot(), go.Figure)
    assert json.loads(json.dumps(answer.to_dict(), allow_nan=False))
