"""Every page of the gallery runs as a plain script, without a warning, and what its text says is what it computes."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "gallery"
PAGES = sorted(file.stem for file in FOLDER.glob("*.py"))
ROUNDING = 1e-12


def text_of(page: str) -> str:
    """Return the text of a page on one line."""
    return " ".join((FOLDER / f"{page}.py").read_text(encoding="utf-8").replace("\n#", " ").split())


def published(name: str) -> Any:
    """Return a literal of the table of replications that the pages cite."""
    module = ast.parse((ROOT / "replications" / "sp500.py").read_text(encoding="utf-8"))
    found = [ast.literal_eval(node.value) for node in ast.walk(module) if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name
             and isinstance(node.value, (ast.Dict, ast.Tuple))]  # fmt: skip
    assert len(found) == 1
    return found[0]


def captured_volatility(page: dict[str, Any]) -> None:
    assert page["residual"] < ROUNDING
    assert page["free_energy"](page["half"], page["moves"]) == pytest.approx(np.log(1.25))
    realised = page["parts"].captured_volatility.sum() / page["years"]
    assert realised == pytest.approx(page["forecast"], rel=0.1)  # "about as forecast"
    equal, large = page["rows"]["equal weight"], page["rows"]["more of the largest"]
    allocation, captured = page["ten_years"](np.broadcast_to(page["equal"], page["mu"].shape))
    assert abs(allocation.mean()) < 3.0 * allocation.std() / np.sqrt(len(allocation))  # "zero on average"
    assert allocation.std() > 4.0 * captured.std()  # "several times as wide"
    assert large["captured, % a year"] < 0.0 < equal["captured, % a year"]
    assert 0.0 < equal["decades behind the index, %"] < 10.0  # "in some of these decades"


def equal_weight(page: dict[str, Any]) -> None:
    columns = published("PUBLISHED")[0.0]
    assert page["whole"].tolist() == [float(columns[3]), float(columns[2])]
    since = page["late"]
    assert [f"{since.sum():.1f}", f"{since[1]:.1f}", f"{since[0]:.1f}"] == ["-60.3", "-311.4", "251.1"]  # the parts are rounded, their sum is -60.2
    assert {"-60.2", "-311.4", "251.1"} <= set(re.findall(r"-?\d+\.\d", (ROOT / "replications" / "sp500.py").read_text(encoding="utf-8")))
    assert page["early"].sum() > 0.0 > since.sum()  # "beat and then lost"
    assert since[0] < 0.5 * page["early"][0]  # "less than half"
    assert 0.8 < since[1] / page["early"][1] < 1.0  # "hardly changed"
    rows = page["rows"]
    first, same, calm, leaders, both = (rows[name] for name in ("first seven years", "the same again", "calm", "leaders", "both"))
    for row in (first, same, calm):  # equal growth rates: the boundary is on average what the index's excess growth takes
        assert -row["boundary"] == pytest.approx(row["index: excess growth"], abs=30.0)
        assert row["equal weight"] > 0.0
    assert calm["L-divergence"] < 0.6 * same["L-divergence"]
    assert calm["boundary"] > 0.6 * same["boundary"]
    assert leaders["L-divergence"] == pytest.approx(same["L-divergence"], rel=0.01)
    assert leaders["boundary"] < same["boundary"]
    assert both["equal weight"] < 0.0
    assert both["L-divergence"] / first["L-divergence"] < both["boundary"] / first["boundary"]
    assert np.abs(page["account"].parts.residual).max() < ROUNDING


def diversity_cycle(page: dict[str, Any]) -> None:
    assert np.abs(page["account"].parts.residual).max() < ROUNDING
    assert page["explained"] > 99.0
    assert page["earned"].std() < 0.1 * page["relative"].std()  # "hardly varies"
    parts = page["account"].annual()
    assert parts["l_divergence"] > 5.0 * abs(parts["boundary"])  # "over sixty years the other way round"
    assert 0.0 < (page["decade"] < 0.0).mean() < 0.1
    assert max(page["longest"]) > 10.0
    columns = published("PUBLISHED")[0.5]
    for figure in columns[1:4]:
        assert figure in text_of("diversity_cycle")


def local_time(page: dict[str, Any]) -> None:
    assert (page["grown"] > -ROUNDING).all()
    table = page["by_rank"]
    assert (abs(table["local time a year"] - table["2 k g"]) < 4.0 * table["standard error"]).all()
    assert table["local time a year"][1] < ROUNDING  # "was never overtaken"
    assert page["gap"] < ROUNDING
    assert page["large"].leakage.max() < ROUNDING
    assert abs(page["large"].leakage.sum()) > 5.0 * abs(page["large"].boundary.sum())  # "by leakage alone"
    slow, fast = page["rows"]["quarterly"], page["rows"]["daily"]
    assert slow["changes a year"] < 0.2 * fast["changes a year"]
    assert slow["leakage, bp a year"] == pytest.approx(fast["leakage, bp a year"], rel=0.2)
    assert "leakage -104" in (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")


def rebalancing_clocks(page: dict[str, Any]) -> None:
    rows, order = page["rows"], ("daily", "weekly", "monthly", "quarterly")
    back, independent, on = ([rows[name, clock] for clock in order] for name in ("moves come back", "independent", "moves go on"))
    earned = [row["L-divergence"] for row in back]
    assert earned == sorted(earned, reverse=True)
    assert abs(back[0]["over quarterly"]) < back[0]["s.e."]  # "daily ends about where quarterly does"
    spread = [row["L-divergence"] for row in independent]
    assert max(spread) - min(spread) < 2.0 * independent[0]["s.e."]
    assert on[0]["L-divergence"] < 0.7 * on[-1]["L-divergence"]
    signature = {name: study.signature.excess_growth for name, study in page["studies"].items()}
    assert signature["moves come back"][0] > signature["independent"][0] > signature["moves go on"][0]
    assert max(abs(item.residual) for study in page["studies"].values() for item in study.clocks) < 1e-10


def solved_market(page: dict[str, Any]) -> None:
    market = page["market"]
    for paper, found in ((market.expected_concentration(), page["squares"]), (market.expected_entropy(), page["entropy"])):
        assert abs(found.mean() - paper) < 4.0 * found.std(ddof=1) / np.sqrt(len(found))
    assert page["energy"].sum() / page["years"] == pytest.approx(market.excess_growth(), rel=0.01)
    assert page["divergence"].sum() == pytest.approx(page["paper_drift"][-1], rel=0.01)
    assert abs(page["ahead"][-1] - page["expected"][-1]) < 4.0 * page["noise"]


CLAIMS: dict[str, Callable[[dict[str, Any]], None]] = {
    claims.__name__: claims for claims in (captured_volatility, diversity_cycle, equal_weight, local_time, rebalancing_clocks, solved_market)
}


def test_the_index_lists_every_page_and_every_page_has_its_claims() -> None:
    listed = re.findall(r"^   (\w+)$", (FOLDER / "index.rst").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(listed) == PAGES == sorted(CLAIMS)


def shown_by(page: str) -> tuple[dict[str, Any], list[go.Figure]]:
    """Run a page cell by cell in one namespace, as a script runs it; return the namespace, and what stands alone at the end of cells and is shown."""
    names: dict[str, Any] = {"__name__": page}
    figures: list[go.Figure] = []
    for cell in re.split(r"^# %%$", (FOLDER / f"{page}.py").read_text(encoding="utf-8"), flags=re.MULTILINE):
        body = ast.parse(cell).body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), page, "exec"), names)  # noqa: S102 - a page of our own
        value = eval(compile(ast.Expression(last.value), page, "eval"), names) if last is not None else None  # noqa: S307 - the same
        if isinstance(value, go.Figure):
            figures.append(value)
    return names, figures


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_without_a_warning_and_its_text_is_true(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    names, figures = shown_by(page)
    printed = capsys.readouterr()
    assert printed.out
    assert not printed.err
    assert "nan" not in printed.out
    assert len(figures) == len(re.findall(r"(?:line_figure|blank)\(", text_of(page)))
    for figure in figures:
        title, unit = figure.layout.title.text.split("<br>")
        assert len(title) > len("<b></b>")
        assert len(re.sub("<[^>]*>", "", unit)) > 5
    CLAIMS[page](names)
