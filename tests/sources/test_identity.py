"""Who is who: check digits, and matches with their evidence, never a silent guess."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gammastar.errors import DataError
from gammastar.store.identity.digits import (
    check_identifier,
    cusip_digit,
    cusip_of_isin,
    figi_digit,
    is_cusip,
    is_figi,
    is_isin,
    is_sedol,
    isin_digit,
    sedol_digit,
)
from gammastar.store.identity.matching import match_assets, read_matches
from gammastar.store.sources.delivery import ingest_source
from gammastar.store.sources.raw_bars import RawBars

# published examples: Apple, Microsoft, Alphabet C and A, BAE Systems, Nestle, IBM
ISINS = ("US0378331005", "US5949181045", "US02079K1079", "US02079K3059", "GB0002634946", "CH0038863350")
CUSIPS = ("037833100", "594918104", "02079K107", "38259P508", "17275R102")
SEDOLS = ("0263494", "2046251", "B0YBKJ7", "7123870")
FIGIS = ("BBG000BLNQ16", "BBG000B9XRY4", "BBG000BPH459")
GOOD = {"isin": ISINS, "cusip": CUSIPS, "sedol": SEDOLS, "figi": FIGIS}
VALID = {"isin": is_isin, "cusip": is_cusip, "sedol": is_sedol, "figi": is_figi}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in GOOD.items() for text in texts])
def test_published_identifiers_are_right_and_any_other_last_digit_is_wrong(kind, text):
    assert VALID[kind](text)
    assert check_identifier(kind, text) is None
    for digit in "0123456789":
        assert VALID[kind](text[:-1] + digit) == (digit == text[-1])
    wrong = text[:-1] + str((int(text[-1]) + 1) % 10)
    assert f"should be {text[-1]}" in check_identifier(kind, wrong)


LETTERS = {"isin": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", "cusip": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*@#", "sedol": "0123456789BCDFGHJKLMNPQRSTVWXYZ", "figi": "0123456789BCDFGHJKLMNPQRSTVWXYZ"}


@given(st.sampled_from(["cusip", "sedol"]), st.data())
def test_one_wrong_digit_is_found(kind, data):
    """A digit that is exchanged for another digit in any place is found (letters of a double sum may agree by chance)."""
    length = {"cusip": 8, "sedol": 6}[kind]
    digit = {"cusip": cusip_digit, "sedol": sedol_digit}[kind]
    base = data.draw(st.text(LETTERS[kind], min_size=length, max_size=length))
    assert VALID[kind](base + str(digit(base)))
    at = data.draw(st.integers(0, length - 1))
    if base[at].isdigit():
        other = data.draw(st.sampled_from([figure for figure in "0123456789" if figure != base[at]]))
        assert digit(base[:at] + other + base[at + 1 :]) != digit(base)


def test_isin_and_figi_find_a_wrong_digit():
    for text in ("US0378331005", "BBG000BLNQ16"):
        digit, valid = (isin_digit, is_isin) if text[0] == "U" else (figi_digit, is_figi)
        for at in range(3, 11):
            for figure in "0123456789":
                if text[at].isdigit() and figure != text[at]:
                    assert digit(text[:at] + figure + text[at + 1 : 11]) != int(text[11])
                    assert not valid(text[:at] + figure + text[at + 1 :])


def test_the_cusip_inside_an_isin_is_checked_too():
    wrong = "US0378331" + "1" + "0"  # another check digit of the CUSIP
    base = wrong[:11]
    told = base + str(isin_digit(base))
    assert not is_isin(told)
    assert check_identifier("isin", told) == "the CUSIP inside has a wrong check digit"
    assert cusip_of_isin("US0378331005") == "037833100"
    assert cusip_of_isin("GB0002634946") is None
    assert cusip_of_isin("US0378331006") is None


@pytest.mark.parametrize(("kind", "text"), [("isin", "us0378331005"), ("isin", "0378331005"), ("cusip", "03783310"), ("sedol", "A263494"), ("figi", "BBG000BLNQ1"), ("isin", "")])
def test_what_has_not_the_shape_is_told_so(kind, text):
    assert "has" in check_identifier(kind, text)


MONTHS = np.array(pd.bdate_range("2015-01-30", "2018-12-31", freq="BME").values, dtype="datetime64[D]")


def walk(seed: int, count: int = len(MONTHS)) -> np.ndarray:
    return np.round(50.0 * np.exp(np.cumsum(0.08 * np.random.default_rng(seed).standard_normal(count))), 2)


def people(rows) -> pd.DataFrame:
    return pd.concat([pd.DataFrame({"date": dates, "asset_id": asset, "ticker": ticker, "price": prices, "weight": 0.1, **more}) for asset, ticker, dates, prices, more in rows], ignore_index=True)


def vendor(rows) -> pd.DataFrame:
    return pd.concat([pd.DataFrame({"date": dates, "ticker": ticker, "close": prices}) for ticker, dates, prices in rows], ignore_index=True)


def decisions(table) -> dict[tuple[str, str], str]:
    return {(candidate.asset, candidate.vendor): candidate.decision for candidate in table.candidates}


def test_same_ticker_and_same_prices_are_accepted():
    found = match_assets(people([(1, "AA", MONTHS, walk(1), {}), (2, "BB", MONTHS, walk(2), {})]), vendor([("AA", MONTHS, walk(1)), ("BB", MONTHS, walk(2))]))
    assert decisions(found) == {("1", "AA"): "accept", ("2", "BB"): "accept"}
    assert found.unmatched == ()
    assert all(candidate.agreeing == candidate.dates == len(MONTHS) for candidate in found.candidates)


def test_a_ticker_that_another_company_uses_by_now_is_rejected():
    """The commonest trap: the ticker agrees and the prices do not."""
    found = match_assets(people([(1, "AA", MONTHS, walk(1), {})]), vendor([("AA", MONTHS, walk(9))]))
    assert decisions(found) == {("1", "AA"): "reject"}
    assert found.candidates[0].confidence <= 0.1


def test_a_renamed_company_is_found_by_its_prices():
    found = match_assets(people([(1, "FB", MONTHS, walk(1), {})]), vendor([("META", MONTHS, walk(1)), ("XX", MONTHS, walk(2))]))
    assert decisions(found) == {("1", "META"): "accept"}
    assert not found.candidates[0].ticker


def test_a_ticker_alone_is_never_enough():
    data = people([(1, "AA", MONTHS, np.nan, {})])
    found = match_assets(data, vendor([("AA", MONTHS, walk(1))]))
    assert decisions(found) == {("1", "AA"): "review"}
    assert found.candidates[0].confidence == 0.5


def test_a_reused_ticker_means_each_company_in_its_time():
    """Two assets had one ticker one after the other, and the vendor's name joins their bars: each has its dates."""
    old, new = MONTHS[:20], MONTHS[22:]
    found = match_assets(people([(1, "AA", old, walk(1)[:20], {}), (2, "AA", new, walk(2)[22:], {})]), vendor([("AA", old, walk(1)[:20]), ("AA", new, walk(2)[22:])]))
    first, second = sorted(found.candidates, key=lambda candidate: candidate.asset)
    assert (first.decision, second.decision) == ("accept", "accept")
    assert first.last == second.first - 1
    assert second.first == new[0]


def test_a_name_that_passed_to_another_company_is_cut_where_the_prices_part():
    """An acquirer takes the target's ticker: the vendor's bars are the acquirer's before and after."""
    data = people([(1, "TGT", MONTHS[:24], walk(1)[:24], {}), (2, "ACQ", MONTHS[:24], walk(2)[:24], {}), (2, "TGT", MONTHS[24:], walk(2)[24:], {})])
    found = match_assets(data, vendor([("TGT", MONTHS, walk(2))]))
    assert decisions(found) == {("1", "TGT"): "reject", ("2", "TGT"): "accept"}


def test_two_assets_with_one_claim_are_for_a_person():
    data = people([(1, "AA", MONTHS, walk(1), {}), (2, "AA", MONTHS, walk(1), {})])
    assert set(decisions(match_assets(data, vendor([("AA", MONTHS, walk(1))]))).values()) == {"review"}
    data = people([(1, "AA", MONTHS, walk(1), {})])
    assert set(decisions(match_assets(data, vendor([("AA", MONTHS, walk(1)), ("AB", MONTHS, walk(1))]))).values()) == {"review"}


def test_identifiers_are_evidence_only_with_a_right_check_digit():
    bars = vendor([("ZZ", MONTHS, np.nan)]).assign(isin="US0378331005")
    right = match_assets(people([(1, "AA", MONTHS, np.nan, {"isin": "US0378331005"})]), bars)
    assert decisions(right) == {("1", "ZZ"): "accept"}
    assert right.candidates[0].identifier == "isin"
    wrong = match_assets(people([(1, "AA", MONTHS, np.nan, {"isin": "US0378331006"})]), bars.assign(isin="US0378331006"))
    assert wrong.unmatched == ("1",)
    assert [finding.rule for finding in wrong.invalid] == ["identifier", "identifier"]


@pytest.mark.parametrize("vendor_has", [{"isin": "US0378331005"}, {"cusip": "037833100"}, {"cusip": "03783310"}])
def test_a_list_of_securities_is_matched_by_its_identifiers_in_any_form(vendor_has):
    """A CUSIP is inside a US ISIN, and some vendors leave its check digit out."""
    found = match_assets(people([(1, "AA", MONTHS, walk(1), {"isin": "US0378331005"})]), pd.DataFrame({"permno": ["14593", "10107"], **{kind: [text, "59491810" if kind == "cusip" else ""] for kind, text in vendor_has.items()}}), vendor_id="permno")
    assert decisions(found) == {("1", "14593"): "accept"}


def test_share_classes_are_two_assets():
    data = people([(1, "GOOG", MONTHS, walk(1), {"isin": "US02079K1079"}), (2, "GOOGL", MONTHS, walk(1) * 1.03, {"isin": "US02079K3059"})])
    assert decisions(match_assets(data, vendor([("GOOG", MONTHS, walk(1)), ("GOOGL", MONTHS, walk(1) * 1.03)]))) == {("1", "GOOG"): "accept", ("2", "GOOGL"): "accept"}


def test_the_table_is_written_to_be_reviewed_and_refused_until_it_is(tmp_path):
    data = people([(1, "AA", MONTHS, walk(1), {}), (2, "BB", MONTHS, np.nan, {})])
    match_assets(data, vendor([("AA", MONTHS, walk(1)), ("BB", MONTHS, walk(2))])).write(tmp_path / "matches.csv")
    with pytest.raises(DataError, match="match-review"):
        read_matches(tmp_path / "matches.csv")
    rows = list(csv.DictReader((tmp_path / "matches.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["decision"] for row in rows] == ["accept", "review"]
    for word, count in (("accept", 2), ("reject", 1)):
        rows[1] |= {"decision": word, "by": "a person", "reason": "looked"}
        with (tmp_path / "reviewed.csv").open("w") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        assert len(read_matches(tmp_path / "reviewed.csv")) == count
    (tmp_path / "reviewed.csv").write_text((tmp_path / "reviewed.csv").read_text().replace("reject", "maybe"))
    with pytest.raises(DataError, match="match-decision"):
        read_matches(tmp_path / "reviewed.csv")


def test_two_accepted_rows_cannot_share_a_name_on_a_date(tmp_path):
    (tmp_path / "m.csv").write_text("asset,vendor,first,last,decision\n1,AA,2015-01-01,2016-01-01,accept\n2,AA,2016-01-01,2017-01-01,accept\n")
    with pytest.raises(DataError, match="match-twice"):
        read_matches(tmp_path / "m.csv")


def test_bars_come_under_the_ids_of_the_members(world, tmp_path):
    """Vendor names to ids in their time: the returns of a name go to whoever it meant then."""
    at = tuple(np.array(world.rows()).T)
    bars = pd.DataFrame({"date": world.days[at[0]], "ticker": np.array(world.ids)[at[1]], "close": world.close[at], "dividend": world.dividend[at], "split": world.split[at]})
    ends = world.days[world.month_ends]
    members = pd.DataFrame([(day, asset, 0.5) for day in ends for asset in ("901", "902")], columns=["date", "asset_id", "weight"])
    members.to_csv(tmp_path / "members.csv", index=False)
    cut = world.days[45]
    (tmp_path / "m.csv").write_text(f"asset,vendor,first,last,decision\n901,AAA,1900-01-01,{cut - 1},accept\n902,AAA,{cut},2100-01-01,accept\n902,BBB,1900-01-01,{cut - 1},accept\n")
    ingest_source(RawBars(members=tmp_path / "members.csv", matches=tmp_path / "m.csv"), bars, tmp_path / "store")
    from gammastar.store import open_store

    panel = open_store(tmp_path / "store").panel()
    start = int(np.flatnonzero(world.days == panel.sessions[0])[0])
    one, two = (panel.assets.index[name] for name in ("901", "902"))
    session = np.arange(start + 1, len(world.days))
    early = session < 45
    np.testing.assert_array_equal(panel.observed[1:, one], early)
    np.testing.assert_allclose(panel.returns[1:, one][early], world.returns[session[early], 0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(panel.returns[1:, two], np.where(early, world.returns[session, 1], world.returns[session, 0]), rtol=0, atol=1e-12)
