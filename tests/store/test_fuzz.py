"""Bytes of valid inputs changed at random: only the project's own errors, nothing slow, and nothing invalid accepted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.corpus.mandates import CAPTURE
from tests.corpus.weights import ASSETS, HEAD

from gammastar.errors import DataError, GammastarError
from gammastar.mandate import Mandate
from gammastar.store.checks import check_members, check_returns
from gammastar.store.findings import Findings
from gammastar.store.layout import Mapping, read_mapping
from gammastar.store.parsing import parse_table
from gammastar.store.reading import read_raw
from gammastar.trade import read_weights

if TYPE_CHECKING:
    from pathlib import Path

SLOWEST = 2.0
TOKENS = [b"", b",", b'"', b";", b"\n", b"\r", b"\0", b"-", b"nan", b"inf", b"1e309", b"0", b"9", b"\xff", b"\xe4", b"=", b"[", b"]", b"true", b"-1", b"2019-02-30", b"_", b" ", b"."]
MANDATE = (CAPTURE + "[rules]\nactive_weight = { limit = 0.05 }\nbeta = { limit = 0.01 }\n[clocks]\nlag = 1\n").encode()
MAPPING = b'calendar = "XNYS"\nsource = "x"\n[members.columns]\nweight = "w"\n[groups.region]\nlabels = ["A"]\n'
WEIGHTS = (HEAD + "101,0.25\n102,0.5\n103,0.25\n").encode()


def mutated(whole: bytes, rng: np.random.Generator) -> bytes:
    content = bytearray(whole)
    for _ in range(int(rng.integers(1, 4))):
        at, cut = int(rng.integers(len(content) + 1)), int(rng.integers(0, 4))
        content[at : at + cut] = TOKENS[rng.integers(len(TOKENS))] if rng.random() < 0.8 else rng.bytes(int(rng.integers(1, 4)))
    return bytes(content)


def accept_table(path: Path, table: str) -> None:
    """Parse and check one table; what passes must be dates, ids and finite numbers in range."""
    findings = Findings()
    spec = Mapping().spec(table)
    raw = read_raw(path, spec, {}, findings)
    read = None if raw is None else parse_table(raw, spec, findings)
    findings.stop_on_errors(str(path))
    assert read is not None
    (check_members if table == "members" else lambda one, told: check_returns(one, one_members, told))(read, findings)
    findings.stop_on_errors(str(path))
    assert not np.isnat(read.dates["date"]).any()
    assert (read.texts["asset_id"].codes >= 0).all()
    if table == "members":
        weight = read.numbers["weight"]
        assert (np.isfinite(weight) & (weight >= 0.0)).all()
        for day in np.unique(read.dates["date"]):
            total = weight[read.dates["date"] == day].sum()
            assert abs(total - 1.0) <= 0.0051 or total == 0.0
    else:
        assert (np.isfinite(read.numbers["total_return"]) & (read.numbers["total_return"] > -1.0)).all()


one_members: Any = None


def accept_weights(path: Path) -> None:
    weights = read_weights(path, ASSETS)
    assert np.isfinite(weights).all()
    assert (weights >= 0.0).all()
    assert 0.0 < weights.sum() <= 1.0 + 1e-6


def accept_mapping(path: Path) -> None:
    read = read_mapping(path)
    assert isinstance(read.calendar, str)
    assert read.calendar


def accept_mandate(path: Path) -> None:
    assert Mandate.load(path).canonical


def prepare(folder: Path, make: Any) -> None:
    """Write a clean dataset, and keep its members for the returns to be checked against."""
    global one_members  # noqa: PLW0603
    draft = make(names=4, end="2018-12-31")
    findings = Findings()
    for ending in ("csv", "parquet"):
        draft.write(folder, ending)
    spec = Mapping().spec("members")
    raw = read_raw(folder / "members.csv", spec, {}, findings)
    assert raw is not None
    one_members = parse_table(raw, spec, findings)


def run(folder: Path, make: Any, count: int, seed: int) -> None:
    """Try `count` mutations, in turn over all kinds of input."""
    prepare(folder, make)
    inputs = [("mandate.toml", MANDATE, accept_mandate), ("dataset.toml", MAPPING, accept_mapping), ("weights.csv", WEIGHTS, accept_weights)]
    for ending in ("csv", "parquet"):
        for table in ("members", "returns"):
            name = f"{table}.{ending}"
            inputs.append((name, (folder / name).read_bytes(), lambda path, table=table: accept_table(path, table)))
    rng, accepted = np.random.default_rng(seed), 0
    for k in range(count):
        name, whole, accept = inputs[k % len(inputs)]
        content = mutated(whole, rng)
        path = folder / f"x-{name}"
        path.write_bytes(content)
        began = time.process_time()
        try:
            accept(path)
            accepted += 1
        except (GammastarError, DataError):
            pass
        except Exception as error:
            raise AssertionError(f"{name}, input {k}: {error!r} from {content[:2000]!r}") from error
        assert time.process_time() - began < SLOWEST, (name, content)
    assert 0 < accepted < count


def test_thirteen_hundred_mutations(tmp_path: Path, make: Any) -> None:
    run(tmp_path, make, 1_300, 0)


@pytest.mark.slow
def test_eighty_thousand_mutations(tmp_path: Path, make: Any) -> None:
    run(tmp_path, make, 80_000, 1)
