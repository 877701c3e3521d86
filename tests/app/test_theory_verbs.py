"""The verbs of the theory, from a store to words, JSON and a figure."""

from __future__ import annotations

import pytest


def test_rebalancing_study_of_a_store(gammastar, store, tmp_path):
    """Words and JSON say the same; the figure needs no network; the residual is rounding."""
    figure = tmp_path / "pictures" / "study.html"
    arguments = ("theory", "rebalancing", store, "--function", "equal", "--cost-bp", 10)
    told, answer = gammastar(*arguments, "--figure", figure), gammastar(*arguments, "--json")
    assert (told.code, answer.code, answer.err) == (0, 0, "")
    study = answer.json
    assert [row["clock"] for row in study["clocks"]] == ["daily", "weekly", "monthly", "quarterly", "yearly"]
    assert study["cost"] == 0.001
    for row in study["clocks"]:
        assert abs(row["residual"]) < 1e-12
        assert f"{1e4 * row['relative_log_return']:.1f}" in told.out
    assert study["signature"]["windows"][0] == 1
    assert "http" not in figure.read_text().split("<script", 1)[0]
    assert "study.html" in told.err


def test_rebalancing_agrees_with_decompose(gammastar, store):
    """One clock, the same options: the relative log return is the account's."""
    options = (store, "--function", "diversity", "-p", "0.25", "--top", 15, "--cost-bp", 20, "--clock", "quarterly", "--json")
    study, account = gammastar("theory", "rebalancing", *options).json, gammastar("theory", "decompose", *options).json
    (row,) = study["clocks"]
    assert row["relative_log_return"] == pytest.approx(account["relative_log_return"], abs=1e-12)
    for part in ("boundary", "l_divergence", "leakage", "flow_membership", "flow_other", "dividend", "cost"):
        assert row[part] == pytest.approx(account[part], abs=1e-12)


def test_capital_curve_of_a_store(gammastar, store):
    """One curve a date, and what it says of concentration."""
    answer = gammastar("theory", "capital-curve", store, "--on", "2019-11-29", "--json")
    assert answer.code == 0
    assert answer.json["dates"] == ["2019-11-29"]
    assert answer.json["members"] == [25]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--clock", "hourly"), ("--clock", "Got hourly", "daily, weekly, monthly, quarterly, yearly")),
        (("--function", "entropy", "-p", "0.5"), ("--function",)),
    ],
)
def test_what_does_not_exist_is_named(gammastar, store, options, said):
    """A wrong clock, or a parameter of another function, is a usage error."""
    answer = gammastar("theory", "rebalancing", store, *options)
    assert (answer.code, answer.out) == (2, "")
    for part in said:
        assert part in answer.err
