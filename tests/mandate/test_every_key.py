"""Every key of `mandate.toml`: it is built, it is told in words, and another value of it is another mandate."""

from __future__ import annotations

import copy
import datetime as dt
import tomllib
from typing import TYPE_CHECKING, Any, get_origin

import pytest

from gammastar import mandate as m
from gammastar.app.rule_words import rule_words
from gammastar.core.generating import Diversity
from gammastar.mandate.explain import _all_keys, _fields, _models
from gammastar.mandate.schema import MandateFile
from gammastar.mandate.schema.limits import OptionsEntry, SoftEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

OPTIONS = {"priority", "clause", "penalty_bp"}
GROWTH, WEIGHTS = "asset_id,growth,note\nB2,-0.02,x\nA1, 0.01 ,y\n", "asset_id,weight\nA1,0.25\nB2,0.75\n"

FULL = """
name = "Everything"
benchmark = "An index"

[strategy]
kind = "volatility_capture"
holding_period_years = 2
factor_aversion = 1.5
specific_aversion = 2.5
growth = { kind = "given", file = "growth.csv", known = 2015-01-01 }
penalty = [{ aversion = 0.5, second_benchmark = true, second_model = false }, { aversion = 0.25, second_model = true }]

[rules]
tracking_error = { limit = 0.02, target = 0.015, factor = { limit = 0.01 }, specific = { limit = 0.012 }, second_benchmark = { limit = 0.04 }, second_model = { limit = 0.03 } }
active_weight = { limit = 0.01, assets = { A1 = 0.02 }, groups = { US = 0.005 }, attribute = "country" }
weight = { minimum = 0.0001, maximum = 0.1, plus = 0.02, multiple = 3 }
sector = { limit = 0.02, limits = { Utilities = 0.01, Energy = 0.005 } }
group = [{ attribute = "country", limit = 0.02, limits = { US = 0.03 } }]
group_weight = [{ attribute = "country", bounds = { US = { minimum = 0.5, maximum = 0.95 } } }]
beta = { limit = 0.05, second_benchmark = { limit = 0.1 } }
exposure = { size = { limit = 0.1 }, volatility = { limit = 0.2 }, beta = { limit = 0.3 }, momentum = { limit = 0.4 }, reversal = { limit = 0.5 } }
active_share = { limit = 0.6 }
turnover = { limit = 0.3, buys = { limit = 0.2 }, year = { limit = 1.2 } }
liquidity = { trade = { limit = 0.2 }, holding = { limit = 2 }, window = 30 }
concentration = { top = { count = 10, limit = 0.4 }, issuer = { limit = 0.1 }, five_ten_forty = { each = 0.11, threshold = 0.06, total = 0.42 } }
exclude = [{ asset = "B", reason = "client", clause = "7.2" }, { asset = "A", reason = "law", from = 2015-01-01, until = "2016-12-31" }]
no_buy = [{ asset = "C", reason = "merger", clause = "7.3", from = 2015-01-01, until = 2016-12-31 }]
no_sell = [{ asset = "D", reason = "pledge", clause = "7.4", from = 2015-01-01, until = 2016-12-31 }]
must_sell = [{ asset = "E", reason = "ruling", clause = "7.5", from = 2015-01-01, until = 2016-12-31 }]
freeze = [{ asset = "F", reason = "inquiry", clause = "7.6", from = 2015-01-01, until = 2016-12-31 }]
cash = { minimum = 0.005, maximum = 0.02, premium = 0.04 }
cash_mode = {}
names = { minimum = 50, maximum = 300, trades = { limit = 200 } }
min_holding = { limit = 0.0005, grandfather = true }
min_trade = { limit = 0.0002 }
lot = { shares = 100 }
risk_contribution = { limit = 0.05, by = { country = { limit = 0.9 } } }

[risk]
kind = "statistical_factors"
factors = 10
volatility_half_life = 21
correlation_half_life = 126
window = 504
correlation_shrinkage = 0.1
volatility_shrinkage = 0.2

[second_risk]
kind = "statistical_factors"
factors = 5
volatility_half_life = 63
correlation_half_life = 504
window = 1008
correlation_shrinkage = 0.3
volatility_shrinkage = 0.4

[second_benchmark]
kind = "generated"
function = "diversity"
p = 0.5
bet = 0.9

[clocks]
reoptimise = "quarterly"
rebalance = "daily"
lag = 2

[trading]
cost_bp = 7.5
band_bp = 20
whole_shares = true
capital = 5e6

[trading.costs]
sell_bp = 9
assets_bp = { A1 = 30 }
steps = [{ above = 0.1, extra_bp = 5 }, { above = 0.5, extra_bp = 10 }]
impact = { coefficient = 0.9, exponent = 1.6, window = 42 }
window = 63

[data]
minimum_observations = 100
observation_window = 200
"""

SHORT = 'name = "x"\n[strategy]\nkind = "volatility_capture"\n'
OTHERS = (
    SHORT + 'growth = { kind = "arithmetic", blend = 0.5 }\n[second_benchmark]\nkind = "generated"\nfunction = "entropy"\nshift = 0.5\n',
    SHORT + 'growth = { kind = "rank", buckets = 5, window = 1000 }\n[second_benchmark]\nkind = "given"\nfile = "weights.csv"\nknown = 2015-01-01\n',
    SHORT + '[risk]\nkind = "hybrid"\ncomponents = 8\nown_sensitivities = true\nsurge_half_life = 4\n[second_risk]\nkind = "hybrid"\ncomponents = 5\nown_sensitivities = true\nsurge_half_life = 0\n',
    SHORT + '[risk]\nkind = "exponential_sample"\nhalf_life = 100\n[second_risk]\nkind = "exponential_sample"\nhalf_life = 200\n',
    'name = "x"\n[strategy]\nkind = "generated"\nfunction = "diversity"\np = 0.5\nbet = 0.5\n',
    'name = "x"\n[strategy]\nkind = "generated"\nfunction = "entropy"\nshift = 0.5\n',
)
# choices, where another value has to be one of few, or cannot be told apart by itself
OTHER_CHOICE = {"quarterly": "monthly", "daily": "weekly"}
FIXED = {("strategy", "kind"), ("strategy.growth", "kind"), ("second_benchmark", "kind"), ("strategy", "function"), ("second_benchmark", "function"),
         ("risk", "kind"), ("second_risk", "kind"), ("strategy.growth", "file"), ("second_benchmark", "file")}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "growth.csv").write_text(GROWTH)
    (tmp_path / "weights.csv").write_text(WEIGHTS)
    return tmp_path


def build(data: dict[str, Any], folder) -> m.Mandate:
    return MandateFile.model_validate(data, context={"folder": folder}).build()


def with_options(data: Any, model: type[BaseModel]) -> Any:
    """Put a priority, a clause and, where it may have one, a penalty into every table of a rule."""
    if isinstance(data, list):
        return [with_options(item, model) for item in data]
    if not isinstance(data, dict):
        return data
    found = {}
    for key, value in data.items():
        field = _fields(model).get(key)
        inner = [] if field is None else list(_models(field.annotation))
        labelled = field is not None and get_origin(field.annotation) is dict
        if labelled and inner:
            found[key] = {label: with_options(item, inner[0]) for label, item in value.items()}
        else:
            found[key] = with_options(value, inner[0]) if inner else value
    if issubclass(model, OptionsEntry):
        found |= {"priority": 2, "clause": "9.9"} | ({"penalty_bp": 7.0} if issubclass(model, SoftEntry) else {})
    return found


def leaves(data: Any, model: type[BaseModel], table: str = "", at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[str, str], tuple[Any, ...], Any]]:
    """Yield table and key of each value, its path, and the value; labels and positions are no part of the key."""
    for key, value in data.items():
        field = _fields(model)[key]
        models = list(_models(field.annotation))
        if key == "strategy" and value["kind"] == "generated":
            models = models[::-1]
        inside = f"{table}.{key}" if table else key
        yield (table, key), (*at, key), value
        if isinstance(value, list):
            for k, item in enumerate(value):
                yield from leaves(item, next(iter(models)), inside, (*at, key, k))
        elif isinstance(value, dict) and get_origin(field.annotation) is dict:
            for label, item in value.items():
                if isinstance(item, dict):
                    yield from leaves(item, models[0], inside, (*at, key, label))
                else:
                    yield (table, key), (*at, key, label), item
        elif isinstance(value, dict):
            yield from leaves(value, models[0], inside, (*at, key))


def whole(text: str) -> dict[str, Any]:
    data = tomllib.loads(text)
    if "rules" in data:
        data["rules"] = with_options(data["rules"], next(_models(MandateFile.model_fields["rules"].annotation)))
    return data


def changed(value: Any) -> Any:
    """Return another value of the same kind, near enough to be allowed."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return 0.95 * value
    if isinstance(value, dt.date):
        return value + dt.timedelta(days=1)
    if value.startswith("20"):
        return "2016-12-30"
    return OTHER_CHOICE.get(value, f"{value}x")


def put(data: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    copied = copy.deepcopy(data)
    inner: Any = copied
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return copied


def test_the_samples_have_every_key():
    """What follows leaves no key out."""
    there = {key for text in (FULL, *OTHERS) for key, _, _ in leaves(whole(text), MandateFile)}
    assert set(_all_keys(MandateFile)) == there


def test_every_changed_value_is_another_mandate(folder):
    """The canonical form, and with it the fingerprint, covers every key."""
    checked = 0
    for text in (FULL, *OTHERS):
        data = whole(text)
        seen = {build(data, folder).fingerprint: ()}
        for key, path, value in leaves(data, MandateFile):
            if not isinstance(value, (dict, list)) and key not in FIXED:
                other = build(put(data, path, changed(value)), folder).fingerprint
                assert other not in seen, (path, seen[other])
                seen[other] = path
                checked += 1
    assert checked > 220


def test_the_files_of_numbers_are_part_of_the_mandate(folder):
    """A changed number in a file that the mandate names is another mandate; order, other columns and spaces are not."""
    one, two = (build(whole(text), folder).fingerprint for text in (FULL, OTHERS[1]))
    (folder / "growth.csv").write_text("\ufeffasset_id,growth\r\nA1,0.01\r\nB2,-0.02\r\n", encoding="utf-8")
    assert build(whole(FULL), folder).fingerprint == one
    (folder / "growth.csv").write_text(GROWTH.replace("-0.02", "-0.021"))
    (folder / "weights.csv").write_text(WEIGHTS.replace("B2", "C3"))
    assert build(whole(FULL), folder).fingerprint != one
    assert build(whole(OTHERS[1]), folder).fingerprint != two


def test_every_key_is_built(folder):
    """The whole file arrives in the types, penalties in growth a year for each unit."""
    signed = build(tomllib.loads(FULL), folder)
    assert signed.rules == (
        m.TrackingError(0.02, 0.015),
        m.FactorRisk(0.01),
        m.SpecificRisk(0.012),
        m.TrackingError(0.04, second_benchmark=True),
        m.TrackingError(0.03, second_model=True),
        m.ActiveWeight(0.01, (("A1", 0.02),), (("US", 0.005),), "country"),
        m.WeightBounds(0.0001, 0.1, 0.02, 3.0),
        m.GroupActive(0.02, (("Energy", 0.005), ("Utilities", 0.01))),
        m.GroupActive(0.02, (("US", 0.03),), "country"),
        m.GroupWeight((("US", 0.5, 0.95),), "country"),
        m.Beta(0.05),
        m.Beta(0.1, second_benchmark=True),
        *(m.Exposure(limit, name) for name, limit in (("size", 0.1), ("volatility", 0.2), ("beta", 0.3), ("momentum", 0.4), ("reversal", 0.5))),
        m.ActiveShare(0.6),
        m.Turnover(0.3),
        m.Buys(0.2),
        m.TurnoverYear(1.2),
        m.TradeLiquidity(0.2, 30),
        m.HoldingLiquidity(2.0, 30),
        m.TopWeights(10, 0.4),
        m.IssuerLimit(0.1),
        m.FiveTenForty(0.11, 0.06, 0.42),
        m.Exclude((m.ListEntry("A", "law", "", "2015-01-01", "2016-12-31"), m.ListEntry("B", "client", "7.2"))),
        m.NoBuy((m.ListEntry("C", "merger", "7.3", "2015-01-01", "2016-12-31"),)),
        m.NoSell((m.ListEntry("D", "pledge", "7.4", "2015-01-01", "2016-12-31"),)),
        m.MustSell((m.ListEntry("E", "ruling", "7.5", "2015-01-01", "2016-12-31"),)),
        m.Freeze((m.ListEntry("F", "inquiry", "7.6", "2015-01-01", "2016-12-31"),)),
        m.Cash(0.005, 0.02, 0.04),
        m.CashMode(),
        m.Names(50, 300),
        m.MostTrades(200),
        m.MinimumHolding(0.0005, grandfather=True),
        m.MinimumTrade(0.0002),
        m.Lot(100),
        m.RiskContribution(0.05),
        m.RiskContribution(0.9, "country"),
    )
    growth = m.GivenGrowth((("A1", 0.01), ("B2", -0.02)), "2015-01-01")
    penalties = (m.VariancePenalty(0.5, second_benchmark=True), m.VariancePenalty(0.25, second_model=True))
    assert signed.strategy == m.VolatilityCapture(growth, 2.0, 1.5, 2.5, penalties)
    assert signed.second_risk is not None
    assert (signed.second_risk.factors, signed.second_risk.recent) == (5, 200)
    assert build(whole(OTHERS[1]), folder).second_benchmark == m.GivenBenchmark((("A1", 0.25), ("B2", 0.75)), "2015-01-01")
    assert build(tomllib.loads(SHORT + '[second_benchmark]\nkind = "generated"\nfunction = "equal"\n'), folder).second_benchmark == m.GeneratedBenchmark(Diversity(0.0))
    assert build(whole(OTHERS[1]), folder).strategy.growth == m.RankGrowth(5, 1000)
    assert build(whole(OTHERS[0]), folder).strategy.growth == m.ArithmeticGrowth(0.5)


def test_options_reach_every_rule(folder):
    """Priority, clause and penalty of each table arrive in its own rule; 7 bp per 1% is 0.07 per unit."""
    discrete = (m.Names, m.MostTrades, m.MinimumHolding, m.MinimumTrade, m.Lot, m.FiveTenForty, m.RiskContribution)
    for rule in build(whole(FULL), folder).rules:
        if isinstance(rule, m.AssetList):
            assert (rule.priority, rule.penalty) == (m.NEVER, None)
        else:
            assert (rule.priority, rule.clause) == (2, "9.9")
            assert rule.penalty == (None if isinstance(rule, discrete) else pytest.approx(0.07, rel=1e-15))


def test_a_limit_alone_is_a_table_with_that_limit(folder):
    """What stands inside another rule's table may be written as a number, and the usual 5/10/40 as true."""
    long = SHORT + "[rules]\nturnover = { year = { limit = 1.2 } }\nexposure = { beta = { limit = 0.1 } }\nrisk_contribution = { by = { sector = { limit = 0.3 } } }\n"
    short = SHORT + "[rules]\nturnover = { year = 1.2 }\nexposure.beta = 0.1\nrisk_contribution.by.sector = 0.3\n"
    assert build(tomllib.loads(long), folder) == build(tomllib.loads(short), folder)
    assert build(tomllib.loads(SHORT + "[rules.concentration]\nfive_ten_forty = true\n"), folder).rules == (m.FiveTenForty(),)
    assert build(tomllib.loads(SHORT + "[rules.liquidity]\nholding = 2\nwindow = 10\n"), folder).rules == (m.HoldingLiquidity(2.0, 10),)


def test_tables_and_entries_in_any_order_are_one_mandate(folder):
    """Lists of tables are sorted by attribute, lists of assets by asset and day."""
    head, groups = SHORT, ['[[rules.group]]\nattribute = "a"\nlimit = 0.1\n', '[[rules.group]]\nattribute = "b"\nlimit = 0.2\n']
    entries = ['[[rules.freeze]]\nasset = "A"\nreason = "r"\nuntil = "2015-01-01"\n', '[[rules.freeze]]\nasset = "A"\nreason = "r"\nfrom = 2015-01-02\n']
    one, two = (build(tomllib.loads(head + "".join(parts)), folder) for parts in ((*groups, *entries), (*reversed(groups), *reversed(entries))))
    assert one.canonical == two.canonical
    assert [rule.name for rule in one.rules] == ["group.a", "group.b", "freeze"]


def test_every_rule_is_told_in_words(folder):
    """One line each, with its number, its clause, when it gives way, and what being soft costs; no type's name shows through."""
    lines = {rule.name: rule_words(rule) for rule in build(whole(FULL), folder).rules}
    for name, line in lines.items():
        assert "(limit=" not in line, name
        assert "\n" not in line
        assert ("never gives way" if name in {"exclude", "no_buy", "no_sell", "must_sell", "freeze"} else "clause 9.9; ") in line
    assert lines["tracking_error"] == "at most 2.00% a year, forecast, 1.50% aimed at  [clause 9.9; soft: 7 bp of growth per 1% over the limit; priority 2]"
    assert "per 0.01 over" in lines["beta"]
    assert lines["exclude"] == "A (law, from 2015-01-01 until 2016-12-31), B (client, clause 7.2)  [never gives way]"
    assert lines["names"].startswith("at least 50 and at most 300 names held (heuristic)")
    assert "US at least 50.00% and at most 95.00%" in lines["group_weight.country"]
    for name, number in (("turnover.year", "120.00%"), ("liquidity.trade", "0.2 average"), ("concentration.top", "10 largest"), ("lot", "100 shares"), ("cash", "0.50% to 2.00%")):
        assert number in lines[name]


def test_the_whole_mandate_is_told(folder):
    """`mandate validate` names the second benchmark, the second model, the growth assumption and the penalties."""
    from gammastar.app import words

    told = words.mandate(build(whole(FULL), folder))
    for part in ("growth rates of 2 assets, given, known on 2015-01-01", "second benchmark", "second risk", "factor risk shunned 1.5 times", "0.25 times half the variance"):
        assert part in told
    assert "growth by rank in 5 buckets over 1,000 sessions" in words.mandate(build(whole(OTHERS[1]), folder))
    assert "50% of the way" in words.mandate(build(whole(OTHERS[0]), folder))
    assert "weights of 2 assets, given, known on 2015-01-01" in words.mandate(build(whole(OTHERS[1]), folder))
