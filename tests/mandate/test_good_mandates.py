"""Mandate files that can be used: what they build, and a fingerprint that sees through their form."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from gammastar.core.generating import Diversity, Market
from gammastar.mandate import (
    ActiveWeight,
    ArithmeticGrowth,
    Beta,
    Clocks,
    DataPolicy,
    Exclude,
    Exclusion,
    Exposure,
    Generated,
    GroupActive,
    Mandate,
    TrackingError,
    TradingPolicy,
    Turnover,
    VolatilityCapture,
    WeightBounds,
)
from gammastar.market.calendar import Clock
from gammastar.risk.statistical import StatisticalFactors

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples" / "mandates").glob("*.toml"))

FULL = """
name = "Everything"
benchmark = "An index"

[strategy]
kind = "volatility_capture"
growth = { kind = "arithmetic" }
holding_period_years = 2

[rules]
tracking_error = { limit = 0.02 }
active_weight = { limit = 0.01 }
weight = { minimum = 0.0001, maximum = 0.1, plus = 0.02, multiple = 3 }
sector = { limit = 0.02, limits = { Utilities = 0.01, Energy = 0.005 } }
beta = { limit = 0.05 }
exposure = { size = { limit = 0.1 } }
exclude = [{ asset = "B", reason = "client", clause = "7.2" }, { asset = "A", reason = "law" }]
turnover = { limit = 0.3 }

[risk]
kind = "statistical_factors"
factors = 10
volatility_half_life = 21
correlation_half_life = 126
window = 504
correlation_shrinkage = 0.1
volatility_shrinkage = 0.2

[clocks]
reoptimise = "quarterly"
rebalance = "daily"
lag = 2

[trading]
cost_bp = 7.5
band_bp = 20
whole_shares = true
capital = 5e6

[data]
minimum_observations = 100
observation_window = 200
"""

OTHER_FORM = """# the same, told otherwise
benchmark='An index'
name   =   'Everything'
data = {observation_window=200,minimum_observations=100}
trading.capital = 5_000_000
trading.whole_shares = true
trading.band_bp = 2e1
trading.cost_bp = 7.5
clocks = {lag=0x2, rebalance="daily", reoptimise="quarterly"}   # a comment
[risk]
window = 504
volatility_shrinkage = 0.20
correlation_shrinkage = 1e-1
correlation_half_life = 126.0
volatility_half_life = 21.0
factors = 10
[rules.turnover]
limit = 0.30
[rules.exposure.size]
limit = 0.1
[rules.beta]
limit = 0.05
[rules.sector]
limit = 0.02
[rules.sector.limits]
Energy = 0.005
Utilities = 0.01
[rules.weight]
multiple = 3.0
plus = 0.02
maximum = 0.1
minimum = 0.000_1
[rules.active_weight]
limit = 0.01
[[rules.exclude]]
reason = "law"
asset = "A"
[[rules.exclude]]
clause = "7.2"
asset = "B"
reason = "client"
[strategy]
holding_period_years = 2.0
kind = "volatility_capture"
[strategy.growth]
kind = "arithmetic"
[rules.tracking_error]
limit = 2e-2
"""


@pytest.fixture
def load(tmp_path):
    def loaded(content: str | bytes) -> Mandate:
        path = tmp_path / "mandate.toml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return Mandate.load(path)

    return loaded


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_valid(path):
    """Every committed example builds, has a name of its own, and comments each of its limits' unit once."""
    mandate = Mandate.load(path)
    assert mandate.name
    assert "#" in path.read_text()
    assert len({Mandate.load(other).fingerprint for other in EXAMPLES}) == len(EXAMPLES) == 5


def test_every_key_is_built(load):
    """The whole file arrives in the whole mandate, basis points as fractions."""
    mandate = load(FULL)
    assert mandate == Mandate(
        name="Everything",
        benchmark="An index",
        strategy=VolatilityCapture(ArithmeticGrowth(), 2.0),
        rules=(
            TrackingError(0.02),
            ActiveWeight(0.01),
            WeightBounds(0.0001, 0.1, 0.02, 3.0),
            GroupActive(0.02, (("Energy", 0.005), ("Utilities", 0.01))),
            Beta(0.05),
            Exposure(0.1),
            Turnover(0.3),
            Exclude((Exclusion("A", "law"), Exclusion("B", "client", "7.2"))),
        ),
        risk=StatisticalFactors(10, 21.0, 126.0, 504, 100, 200, 0.1, 0.2),
        clocks=Clocks(Clock.QUARTERLY, Clock.DAILY, 2),
        trading=TradingPolicy(0.00075, 0.002, True, 5e6),
        data=DataPolicy(100, 200),
    )


def test_form_does_not_matter(load):
    """Order of keys and tables, comments, notation, BOM and line ends change neither canonical form nor fingerprint."""
    plain = load(FULL)
    for content in (OTHER_FORM, b"\xef\xbb\xbf" + FULL.encode(), FULL.replace("\n", "\r\n"), FULL + "\n# the end\n"):
        other = load(content)
        assert other == plain
        assert other.canonical == plain.canonical
        assert other.fingerprint == plain.fingerprint


def test_every_value_matters(load):
    """Any changed value changes the fingerprint."""
    seen = {load(FULL).fingerprint}
    values = list(re.finditer(r"(?<![\w.\"])\d[\d.e]*(?![\w.\"])", FULL))
    assert len(values) > 20
    for found in values:
        number = float(found[0])
        changed = str(int(number) + 1) if found[0].isdigit() and number >= 1 else repr(number * 0.9)
        seen.add(load(FULL[: found.start()] + changed + FULL[found.end() :]).fingerprint)
    for one, two in (
        ("arithmetic", "equal"),
        ("daily", "weekly"),
        ("Everything", "Every thing"),
        ("7.2", "7.3"),
        ("law", "lore"),
        ("true", "false"),
    ):
        seen.add(load(FULL.replace(one, two, 1)).fingerprint)
    assert len(seen) == 1 + len(values) + 6


def test_defaults_are_the_types_own(load):
    """What a file leaves out is what `Mandate` has by itself."""
    assert load("name = 'Enhanced index'\n[strategy]\nkind = 'volatility_capture'\n") == Mandate()


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("function = 'market'", Market()),
        ("function = 'equal'", Diversity(0.0)),
        ("function = 'diversity'\np = 0.76", Diversity(0.76)),
    ],
)
def test_generated(load, text, function):
    """A generating function is told by its name and parameter."""
    mandate = load(f"name = 'x'\n[strategy]\nkind = 'generated'\n{text}\n[clocks]\nlag = 0\n")
    assert mandate.strategy == Generated(function)


def test_dial_scales_the_active_bet(load):
    """`bet = 0.5` holds exactly half the active weights."""
    mu = np.array([0.5, 0.3, 0.2])
    for function in ("equal", "entropy", "gini_simpson"):
        text = f"name = 'x'\n[strategy]\nkind = 'generated'\nfunction = '{function}'\n"
        whole, half = (load(text + dial).strategy.function.weights(mu) for dial in ("", "bet = 0.5\n"))
        assert np.allclose(half - mu, 0.5 * (whole - mu), atol=1e-15)


def test_canonical_form_tells_types_apart(load):
    """Two functions with the same parameters are two mandates."""
    texts = [
        f"name = 'x'\n[strategy]\nkind = 'generated'\nfunction = '{name}'\n"
        for name in ("market", "entropy", "gini_simpson", "equal")
    ]
    assert len({load(text).fingerprint for text in texts}) == 4


@pytest.fixture(scope="module")
def simulated():
    """The simulated large-cap market, whose assets the examples name."""
    from gammastar.simulate import LargeCapMarket

    return LargeCapMarket().simulate(7, prices=False).panel


@pytest.mark.slow
@pytest.mark.parametrize("name", ["national-reserve-fund", "exclusion-list"])
def test_examples_on_the_simulated_market_find_targets(name, simulated):
    """The institutional examples have targets that keep every rule, on dates on which each of their dated entries is in force."""
    from gammastar.optimise import Status, propose

    mandate = Mandate.load(ROOT / "examples" / "mandates" / f"{name}.toml")
    listed = {item.asset for rule in mandate.rules for item in getattr(rule, "assets", ()) if isinstance(item, Exclusion)}
    assert listed <= set(simulated.assets.ids)
    for day in ("2011-06-30", "2014-12-31", "2016-06-30", "2019-11-29"):
        found = propose(mandate, simulated.moment(int(np.searchsorted(simulated.sessions, np.datetime64(day)))))
        assert found.status is Status.OPTIMAL, (day, found.advice)
        assert not any(reading.breached for reading in found.readings)
