"""Inputs that Hypothesis builds from odd cells: only the project's own errors, nothing slow, and what is accepted is valid by a second reading."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
import time
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.corpus.mandates import CAPTURE
from tests.corpus.weights import ASSETS
from tests.store import test_fuzz

from gammastar.errors import GammastarError
from gammastar.mandate import Mandate
from gammastar.store.findings import Findings
from gammastar.store.layout import Mapping
from gammastar.store.parsing import parse_table
from gammastar.store.reading import read_raw
from gammastar.trade import read_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SLOWEST = 2.0
FAST, MANY = {"members": 150, "returns": 150, "weights": 200, "mapping": 100, "mandate": 100}, 4_000

DATES = st.one_of(
    st.sampled_from(["2019-01-31", "2019-02-28", "2019-02-29", "2020-02-29", "31.01.2019", "01/31/2019", "2019-1-31", "20190131", "2019-01-31T00:00:00", "2019-01-31 16:00", "0000-00-00",
                     "9999-12-31", "1752-09-03", "NaT", "today", "", " 2019-01-31 ", "２０１９-01-31", "2019-01-31Z", "43496"]),
    st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)).map(str),
)  # fmt: skip
NUMBERS = st.one_of(
    st.floats(0.0, 1.0).map(repr),
    st.floats().map(repr),
    st.sampled_from(["0.25", "0,25", "25%", "1e-3", "1E400", "-0", "+.5", "1_000", "1,000.5", "0x1p-2", "٠.٥", "½", "--1", "1.2.3", "", "NA", "null", "None", "#N/A", "∞", "1e", " 0.5 ", "0.5 ", "TRUE", "=1+1", "(0.5)"]),
)  # fmt: skip
NAMES = st.one_of(st.sampled_from(["7", "14", "007", "7.0", "A", "a", "Ä", " A", "", "NA", "1e3", "A,B", 'A"B', "A\nB", "=cmd()", "\ufeffA", "x" * 300]), st.text(max_size=5))
COLUMNS = {"members": ("date", "asset_id", "weight", "sector", "ticker"), "returns": ("date", "asset_id", "total_return", "price", "split", "estimated")}


RIGHT = {"sector": "Energy", "ticker": "T", "price": "50", "split": "1", "estimated": "false", "total_return": "0.01"}
ODD = {"date": DATES, "asset_id": NAMES, "sector": NAMES, "ticker": NAMES, "estimated": st.sampled_from(["true", "1", "0", "yes", "", "2", "Falsch"])}


@st.composite
def tables(draw: st.DrawFn, table: str) -> bytes:
    """Return a CSV file: a right one in any order of rows and columns, and then up to three odd cells, an odd head, odd line ends, quotes and encodings."""
    head = list(draw(st.permutations(COLUMNS[table])))
    count = draw(st.integers(1, 5))
    rows = [[{**RIGHT, "date": "2018-11-30", "asset_id": str(7 * (at + 1)), "weight": repr(1.0 / count)}[name] for name in head] for at in range(count)]
    for _ in range(draw(st.integers(0, 3))):
        column = draw(st.integers(0, len(head) - 1))
        rows[draw(st.integers(0, count - 1))][column] = draw(ODD.get(head[column], NUMBERS))
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(head) - 1))
        head[at] = draw(st.sampled_from([head[at].upper(), f" {head[at]}", f"{head[at]}.1", "", head[0]]))
    if draw(st.integers(0, 9)) == 0:
        rows[-1] = rows[draw(st.integers(0, count - 1))][: draw(st.integers(0, len(head)))]
    text = io.StringIO()
    ends, quotes = st.sampled_from(["\n", "\n", "\r\n", "\r"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    writer = csv.writer(text, delimiter=draw(st.sampled_from([",", ",", ",", ";", "\t"])), lineterminator=draw(ends), quoting=draw(quotes))
    writer.writerows([head, *rows])
    return text.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "latin-1", "utf-16"])), "replace")


@st.composite
def weight_files(draw: st.DrawFn) -> bytes:
    """Return a file of weights: a right one with up to three odd cells, an odd head or an odd encoding."""
    rows = [["101", "0.25"], ["102", "0.5"], ["103", "0.25"]][: draw(st.sampled_from([3, 3, 3, 2]))]
    for _ in range(draw(st.integers(0, 3))):
        rows[draw(st.integers(0, len(rows) - 1))] = draw(st.one_of(st.tuples(st.sampled_from(["101", "104"]), NUMBERS), st.tuples(NAMES, st.just("0.1"))))
    head = draw(st.sampled_from(["asset_id,weight", "asset_id,weight", "asset_id,weight", "weight,asset_id", "asset_id", "id;weight", "asset_id,weight,weight", ""]))
    return "\n".join([head, *(",".join(row) for row in rows), ""]).encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"])), "replace")


TOML = st.recursive(
    st.one_of(st.booleans().map(lambda value: str(value).lower()), st.integers(-(2**63), 2**63 - 1).map(str), st.floats().map(lambda value: repr(value).replace("inf", "inf")), st.dates().map(str),
              st.text(st.characters(blacklist_characters='"\\', blacklist_categories=("Cs", "Cc")), max_size=8).map(lambda text: f'"{text}"')),
    lambda inner: st.one_of(st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"), st.dictionaries(st.sampled_from(["limit", "a", "name", "from"]), inner, max_size=2).map(lambda parts: "{ " + ", ".join(f"{key} = {value}" for key, value in parts.items()) + " }")),
    max_leaves=4,
)  # fmt: skip
RIGHT_RULES = {"active_weight": "0.05", "tracking_error": "0.02", "beta": "0.01", "sector": "{ limit = 0.01 }", "issuer": "{ maximum = 0.1 }", "turnover": "0.2", "cash": "{ maximum = 0.02 }"}
RIGHT_TABLES = {"clocks": ("lag", "1"), "data": ("minimum_observations", "126"), "trading": ("cost", "0.0005"), "risk": ("kind", '"hybrid"')}
RIGHT_KEYS = {"calendar": '"XNYS"', "source": '"x"', "sectors": '["Energy", "Utilities"]'}


def some(draw: st.DrawFn, right: dict[str, str]) -> list[str]:
    """Return some lines of a table, every few of them with an odd value or under an odd name."""
    lines = []
    for name in draw(st.lists(st.sampled_from(sorted(right)), max_size=3, unique=True)):
        oddity = draw(st.integers(0, 9))
        lines.append(f"{'unknown' if oddity == 0 else name} = {draw(TOML) if oddity in {1, 2} else right[name]}\n")
    return lines


@st.composite
def mandates(draw: st.DrawFn) -> bytes:
    """Return a mandate with some rules and tables."""
    text = [CAPTURE, "[rules]\n", *some(draw, RIGHT_RULES)]
    for table in draw(st.lists(st.sampled_from(sorted(RIGHT_TABLES)), max_size=2, unique=True)):
        key, value = RIGHT_TABLES[table]
        text.append(f"[{table}]\n{key} = {draw(TOML) if draw(st.integers(0, 4)) == 0 else value}\n")
    return "".join(text).encode()


@st.composite
def mappings(draw: st.DrawFn) -> bytes:
    """Return a mapping with some keys."""
    more = f"[{draw(st.sampled_from(['members', 'returns', 'other']))}]\nfile = {draw(TOML)}\n" if draw(st.integers(0, 3)) == 0 else ""
    return "".join([*some(draw, RIGHT_KEYS), more]).encode()


def second_reading(path: Path, table: str) -> None:
    """Assert that an accepted table is one: every date and number reads as such by the standard library, and no key comes twice."""
    findings = Findings()
    raw = read_raw(path, Mapping().spec(table), {}, findings)
    assert raw is not None
    read = parse_table(raw, Mapping().spec(table), findings)
    keys = list(zip(read.dates["date"].astype(str).tolist(), read.texts["asset_id"].codes.tolist(), strict=True))
    assert len(set(keys)) == len(keys)
    assert all(dt.date(1800, 1, 1) <= dt.date.fromisoformat(day) <= dt.date(2200, 1, 1) for day, _ in keys)
    assert all(asset.strip() and not {"Cc", "Cs"} & set(map(unicodedata.category, asset)) for asset in read.texts["asset_id"].values)
    number = read.numbers["weight" if table == "members" else "total_return"]
    assert all(math.isfinite(value) for value in number.tolist())


def table_of(table: str) -> Callable[[Path], None]:
    def accept(path: Path) -> None:
        test_fuzz.accept_table(path, table)
        second_reading(path, table)

    return accept


def accept_weights(path: Path) -> None:
    assert float(read_weights(path, ASSETS).sum()) > 0.0


def accept_mandate(path: Path) -> None:
    signed = Mandate.load(path)
    assert signed.canonical
    for rule in signed.rules:
        limit = getattr(rule, "limit", 0.0)
        assert isinstance(limit, float | int)
        assert math.isfinite(limit)


KINDS: dict[str, tuple[str, Any, Callable[[Path], None]]] = {
    "members": ("members.csv", tables("members"), table_of("members")),
    "returns": ("returns.csv", tables("returns"), table_of("returns")),
    "weights": ("weights.csv", weight_files(), accept_weights),
    "mapping": ("dataset.toml", mappings(), test_fuzz.accept_mapping),
    "mandate": ("mandate.toml", mandates(), accept_mandate),
}


def tried(kind: str, folder: Path, count: int) -> None:
    """Build so many inputs of a kind and let the parser have each."""
    name, inputs, accept = KINDS[kind]
    met = {"accepted": 0, "refused": 0}

    @settings(max_examples=count)
    @given(inputs)
    def one(content: bytes) -> None:
        path = folder / name
        path.write_bytes(content)
        began = time.process_time()
        try:
            accept(path)
            met["accepted"] += 1
        except GammastarError:
            met["refused"] += 1
        assert time.process_time() - began < SLOWEST

    one()
    assert min(met.values()) >= count // 100, met


@pytest.fixture
def prepared(tmp_path: Path, make: Any) -> Path:
    """A folder, and the members that returns are checked against."""
    test_fuzz.prepare(tmp_path, make)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_seven_hundred_inputs_of_odd_cells(kind: str, prepared: Path) -> None:
    tried(kind, prepared, FAST[kind])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_thousand_inputs_of_odd_cells(kind: str, prepared: Path) -> None:
    tried(kind, prepared, MANY)
