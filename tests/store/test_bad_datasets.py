"""Every way we know a dataset can be bad: each is refused under its own rule, with its place, and leaves nothing behind."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.corpus.datasets import ALL, MEMBERS, RETURNS, Bad, cell

from gammastar.errors import DataError
from gammastar.store import ingest, open_store


@pytest.mark.parametrize("bad", ALL, ids=[bad.name for bad in ALL])
def test_a_bad_dataset_is_refused_with_its_place_and_leaves_nothing(
    bad: Bad, draft: Any, tmp_path: Path, listing: Any
) -> None:
    bad.spoil(draft)
    dataset = draft.write(tmp_path / "dataset")
    before = listing(tmp_path)
    with pytest.raises(DataError) as caught:
        ingest(dataset, tmp_path / "store")
    findings = [finding for finding in caught.value.findings if finding.rule == bad.rule]
    assert findings, f"expected {bad.rule}, found {[str(finding) for finding in caught.value.findings]}"
    finding = findings[0]
    assert (finding.file, finding.severity) == (bad.file, "error")
    assert bad.row is None or finding.row == bad.row
    assert bad.column is None or finding.column == bad.column
    assert bad.value is None or finding.value == bad.value
    assert bad.says in str(caught.value)
    assert listing(tmp_path) == before


@pytest.mark.parametrize("bad", ALL[::6], ids=[bad.name for bad in ALL[::6]])
def test_a_bad_dataset_leaves_the_old_store_as_it_was(
    bad: Bad, draft: Any, tmp_path: Path, listing: Any, good: Path
) -> None:
    shutil.copytree(good, tmp_path / "store")
    bad.spoil(draft)
    dataset = draft.write(tmp_path / "dataset")
    before = listing(tmp_path)
    with pytest.raises(DataError):
        ingest(dataset, tmp_path / "store")
    assert listing(tmp_path) == before
    assert open_store(tmp_path / "store").fingerprint == open_store(good).fingerprint


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("seed", range(3))
def test_random_damage_is_refused_or_harmless_and_never_a_crash(
    seed: int, ending: str, make: Any, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    dataset = make().write(tmp_path / "dataset", ending)
    file = dataset / f"{['members', 'returns'][seed % 2]}.{ending}"
    whole = file.read_bytes()
    refused = []
    for _ in range(25):
        content = bytearray(whole)
        for at in rng.integers(min(len(whole), 600) if rng.random() < 0.5 else len(whole), size=3):
            content[at : at + int(rng.integers(0, 3))] = (
                rng.choice(list(b'",;\n\r\0-.e9\xe4'), size=int(rng.integers(0, 4))).astype(np.uint8).tobytes()
            )
        file.write_bytes(bytes(content))
        try:
            ingest(dataset, tmp_path / "store")
        except DataError as error:
            refused.append(error)
    assert refused
    assert all(error.findings for error in refused)


def test_every_rule_is_in_the_manual() -> None:
    root = Path(__file__).resolve().parents[2]
    manual = (root / "docs" / "dataset.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", manual))
    assert {bad.rule for bad in ALL} <= told
    sources = "".join(path.read_text(encoding="utf-8") for path in (root / "src" / "gammastar" / "store").glob("*.py"))
    codes = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', sources)) - {"utf-8", "utf-8-sig", "gammastar-store"}
    assert codes - told == {"gammastar-dataset-1"} & codes


def test_there_are_enough_ways_to_be_bad() -> None:
    assert len(ALL) >= 60
    assert len({bad.rule for bad in ALL}) >= 45


def test_many_bad_rows_are_counted_not_listed(draft: Any, tmp_path: Path) -> None:
    draft.returns.loc[::3, "total_return"] = -2.0
    with pytest.raises(DataError) as caught:
        ingest(draft.write(tmp_path / "dataset"), tmp_path / "store")
    told = [finding for finding in caught.value.findings if finding.rule == "return-total-loss"]
    assert 0 < len(told) <= 5
    assert "more rows" in told[-1].message


def test_all_files_are_read_before_complaining(draft: Any, tmp_path: Path) -> None:
    cell("members", 4, "weight", "x")(draft)
    cell("returns", 4, "total_return", "y")(draft)
    with pytest.raises(DataError) as caught:
        ingest(draft.write(tmp_path / "dataset"), tmp_path / "store")
    assert {finding.file for finding in caught.value.findings} == {MEMBERS, RETURNS}


@pytest.mark.parametrize(("kind", "rule"), [("absent", "dataset-absent"), ("file", "dataset-not-folder")])
def test_the_dataset_must_be_a_folder(kind: str, rule: str, tmp_path: Path) -> None:
    if kind == "file":
        (tmp_path / "dataset").write_text("x")
    with pytest.raises(DataError) as caught:
        ingest(tmp_path / "dataset", tmp_path / "store")
    assert [finding.rule for finding in caught.value.findings] == [rule]
    assert not (tmp_path / "store").exists()


def test_a_mapping_that_is_not_there_is_named(draft: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.toml"):
        ingest(draft.write(tmp_path / "dataset"), tmp_path / "store", mapping=tmp_path / "no.toml")
