"""Group attributes, money traded and prices: a panel checks them, and a moment sees them up to its own close alone."""

from __future__ import annotations

import copy
import hashlib
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gammastar.core.covariance import FactoredCovariance
from gammastar.market.assets import Assets
from gammastar.market.calendar import Calendar, Frequency
from gammastar.market.groups import Named, Sectors, own_issuers
from gammastar.market.panel import Panel, Prices

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

T, N = 12, 5
COUNTRIES = ("GB", "US", "Unknown")


def plain() -> Panel:
    """A panel without groups, volumes and prices."""
    rng = np.random.default_rng(4)
    days = np.datetime64("2019-01-07") + np.arange(T)
    returns = np.vstack((np.zeros((1, N)), 0.01 * rng.standard_normal((T - 1, N))))
    return Panel(
        calendar=Calendar(days, np.datetime64("2019-01-19"), "XNYS"),
        assets=Assets(tuple(f"A{i}" for i in range(N))),
        frequency=Frequency.DAILY,
        returns=returns,
        observed=np.ones((T, N), dtype=bool),
        benchmark=rng.dirichlet(np.full(N, 4.0), size=T),
        sectors=Sectors(("Energy", "Unknown"), rng.integers(0, 2, (T, N))),
        published=np.ones(T, dtype=bool),
        source="a test",
    )


def codes(seed: int, labels: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, labels, (T, N))


def money(seed: int) -> np.ndarray:
    return 1e6 * np.random.default_rng(seed).exponential(size=(T, N))


@pytest.fixture
def panel() -> Panel:
    groups = {"country": Sectors(COUNTRIES, codes(1, 3)), "issuer": Sectors(own_issuers(plain().assets.ids), codes(2, N))}
    return replace(plain(), groups=groups, traded=money(3), prices=Prices(1.0 + money(5), np.ones((T, N))))


def test_a_panel_without_them_has_the_sector_alone() -> None:
    panel, moment = plain(), plain().moment(4)
    assert panel.attributes == moment.attributes == ("sector",)
    assert panel.group("sector") is panel.sectors
    assert moment.group("sector") == (moment.sector_labels, moment.sector_codes)
    assert (dict(panel.groups), panel.traded, moment.price, moment.value, moment.traded, moment.second_covariance) == ({}, None, None, None, None, None)
    with pytest.raises(ValueError, match=r"no money traded.*traded_value"):
        moment.average_traded(5)


def test_a_moment_reads_the_row_of_its_session(panel: Panel) -> None:
    for t in (0, 5, T - 1):
        moment = panel.moment(t)
        assert moment.attributes == panel.attributes == ("sector", "country", "issuer")
        labels, told = moment.group("country")
        assert labels == COUNTRIES
        np.testing.assert_array_equal(told, codes(1, 3)[t])
        np.testing.assert_array_equal(moment.price, 1.0 + money(5)[t])
        np.testing.assert_array_equal(moment.traded, money(3)[: t + 1])


@pytest.mark.parametrize("read", [lambda panel: panel.group("region"), lambda panel: panel.moment(3).group("region")])
def test_an_attribute_that_is_not_there_is_refused_with_those_there_are(read: Callable[[Panel], Any], panel: Panel) -> None:
    with pytest.raises(ValueError, match=r"'region': there are sector, country, issuer\."):
        read(panel)


def test_the_average_is_the_mean_over_the_last_sessions(panel: Panel) -> None:
    moment = panel.moment(7)
    np.testing.assert_allclose(moment.average_traded(3), (money(3)[5] + money(3)[6] + money(3)[7]) / 3.0, rtol=1e-14)
    np.testing.assert_array_equal(moment.average_traded(1), money(3)[7])
    np.testing.assert_allclose(moment.average_traded(250), money(3)[:8].mean(axis=0), rtol=1e-14)
    for window in (0, -3):
        with pytest.raises(ValueError, match=f"window is {window}"):
            moment.average_traded(window)


@pytest.mark.parametrize("t", [0, 4, T - 2])
def test_nothing_later_changes_what_a_moment_sees(t: int, panel: Panel) -> None:
    poison = replace(
        panel,
        groups={name: Sectors(group.labels, np.vstack((group.codes[: t + 1], codes(9, 3)[t + 1 :]))) for name, group in panel.groups.items()},
        traded=np.vstack((panel.traded[: t + 1], 1e12 + money(8)[t + 1 :])),
        prices=Prices(np.vstack((panel.prices.close[: t + 1], 1e6 + money(8)[t + 1 :])), panel.prices.split),
    )
    before, after = panel.moment(t), poison.moment(t)
    for name in panel.attributes:
        np.testing.assert_array_equal(before.group(name).codes, after.group(name).codes)
    for window in (1, 5, 100):
        np.testing.assert_array_equal(before.average_traded(window), after.average_traded(window))
    np.testing.assert_array_equal(before.price, after.price)
    assert before.traded.shape == (t + 1, N)
    assert poison.fingerprint != panel.fingerprint


def test_the_first_sessions_are_those_of_the_whole(panel: Panel) -> None:
    first = panel.first(6)
    np.testing.assert_array_equal(first.traded, panel.traded[:6])
    for name in panel.attributes:
        np.testing.assert_array_equal(first.group(name).codes, panel.group(name).codes[:6])
        assert first.group(name).labels == panel.group(name).labels


def test_the_fingerprint_sees_them_and_not_their_order(panel: Panel) -> None:
    prints = {panel.fingerprint, replace(panel, traded=None).fingerprint, replace(panel, groups={}).fingerprint}
    other = panel.traded.copy()
    other[3, 2] = np.nextafter(other[3, 2], np.inf)
    prints.add(replace(panel, traded=other).fingerprint)
    country = panel.groups["country"]
    prints.add(replace(panel, groups={**panel.groups, "country": Sectors(("GB", "FR", "Unknown"), country.codes)}).fingerprint)
    moved = country.codes.copy()
    moved[2, 2] = (moved[2, 2] + 1) % 3
    prints.add(replace(panel, groups={**panel.groups, "country": Sectors(COUNTRIES, moved)}).fingerprint)
    prints.add(replace(panel, groups={"nation": country, "issuer": panel.groups["issuer"]}).fingerprint)
    assert len(prints) == 7
    assert replace(panel, groups={name: panel.groups[name] for name in ("issuer", "country")}).fingerprint == panel.fingerprint


def test_a_market_without_them_keeps_the_fingerprint_it_had() -> None:
    # the digest as it was before a panel could have groups and money traded
    panel = plain()
    head = (panel.assets.ids, panel.frequency.name, panel.calendar.name, str(panel.calendar.following), panel.sectors.labels)
    digest = hashlib.sha256(repr(head).encode())
    for array in (panel.sessions, panel.returns, panel.observed, panel.benchmark, panel.sectors.codes, panel.published):
        digest.update(array.tobytes())
    assert panel.fingerprint == digest.hexdigest()


def with_entry(values: np.ndarray, entry: float) -> np.ndarray:
    values[3, 1] = entry
    return values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: {"traded": with_entry(money(1), -1.0)}, "not negative"),
        (lambda: {"traded": with_entry(money(1), np.nan)}, "finite"),
        (lambda: {"traded": with_entry(money(1), np.inf)}, "finite"),
        (lambda: {"traded": money(1)[1:]}, r"traded must have the shape \(12, 5\)"),
        (lambda: {"groups": {"country": Sectors(COUNTRIES, codes(1, 4) * 0 + 3)}}, "3 labels"),
        (lambda: {"groups": {"country": Sectors(COUNTRIES, codes(1, 3) - 1)}}, "positions"),
        (lambda: {"groups": {"country": Sectors(COUNTRIES, codes(1, 3)[:, 1:])}}, r"'country' have the shape \(12, 4\)"),
        (lambda: {"groups": {"country": Sectors(("US", "US", "Unknown"), codes(1, 3))}}, "unique"),
        (lambda: {"groups": {"sector": Sectors(COUNTRIES, codes(1, 3))}}, "`sectors`"),
        (lambda: {"groups": {"": Sectors(COUNTRIES, codes(1, 3))}}, "cannot name"),
        (lambda: {"prices": Prices(np.ones((T, N - 1)), np.ones((T, N - 1)))}, "prices and splits"),
    ],
)
def test_what_makes_no_sense_is_refused(change: Callable[[], dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(plain(), **change())


def test_nobody_can_write_to_them_and_nothing_is_copied(panel: Panel) -> None:
    traded, told = money(6), codes(1, 3).astype(np.int16)
    groups = {"country": Sectors(COUNTRIES, told)}
    made = replace(panel, groups=groups, traded=traded)
    assert np.shares_memory(made.traded, traded)
    assert np.shares_memory(made.groups["country"].codes, told)
    assert np.shares_memory(made.moment(5).traded, traded)
    groups["region"] = groups["country"]
    assert list(made.groups) == ["country"]
    with pytest.raises(ValueError, match="read-only"):
        made.traded[0, 0] = 1.0
    with pytest.raises(TypeError, match="item assignment"):
        made.groups["x"] = 1  # type: ignore[index]


def test_a_moment_can_be_sent_and_copied(panel: Panel) -> None:
    sent = pickle.loads(pickle.dumps((panel, panel.moment(5))))  # noqa: S301 - our own bytes
    for other in (sent[1], copy.deepcopy(panel.moment(5))):
        np.testing.assert_array_equal(other.group("country").codes, panel.moment(5).group("country").codes)
    assert sent[0].fingerprint == panel.fingerprint
    assert Named({"a": 1}) == Named({"a": 1}) == {"a": 1}


def test_many_labels_do_not_wrap_around() -> None:
    labels = tuple(str(i) for i in range(40000))
    assert Sectors(labels, np.full((1, 2), 39999)).codes.max() == 39999


def test_a_known_value_stays_and_a_new_one_replaces_it(panel: Panel) -> None:
    held = np.full(N, 1.0 / N)
    moment = panel.moment(3)
    assert moment.with_holdings(held).value is None
    valued = moment.with_holdings(held, 2e9)
    assert valued.value == 2e9
    assert valued.with_holdings(0.5 * held).value == 2e9
    assert valued.with_holdings(held, value=3e9).value == 3e9
    for value in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="above zero"):
            moment.with_holdings(held, value)


def test_a_second_estimate_of_risk_comes_with_the_first(panel: Panel) -> None:
    one, two = (FactoredCovariance(np.ones((N, 1)), np.full(N, level)) for level in (0.1, 0.2))
    moment = panel.moment(3).with_risk(one, two)
    assert (moment.covariance, moment.second_covariance) == (one, two)
    assert moment.with_risk(two).second_covariance is None
    kept = moment.with_holdings(np.full(N, 0.2), 1e6)
    assert (kept.second_covariance, kept.group("issuer")) == (two, moment.group("issuer"))
