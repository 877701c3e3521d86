"""Files with bytes exchanged, cut out, doubled or cut off: a source reads them or says what is wrong, and never falls over."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.sources import test_crsp, test_french, test_holdings, test_norgate, test_sharadar
from tests.sources.test_bars import frame

from gammastar.errors import GammastarError
from gammastar.store.sources.action_table import read_actions
from gammastar.store.sources.crsp_ciz import CrspCiz
from gammastar.store.sources.crsp_legacy import CrspLegacy
from gammastar.store.sources.french import FrenchPortfolios
from gammastar.store.sources.holdings import FundHoldings
from gammastar.store.sources.norgate import NorgateCsv
from gammastar.store.sources.raw_bars import RawBars
from gammastar.store.sources.sharadar import Sharadar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROUNDS = int(os.environ.get("GAMMASTAR_MUTATIONS", "60"))  # a format; more by hand
TOKENS = (b",", b'"', b"\n", b"\r", b"\0", b"-", b"nan", b"inf", b"1e400", b"-1", b"0", b"9" * 30, b"\xff", b"\xef\xbb\xbf", b"2019-02-30", b"99999999", b";", b"PAR1", b"C", b"-99.99", "ä".encode())


def write_bars(world, folder: Path) -> Path:
    folder.mkdir()
    frame(world).to_csv(folder / "bars.csv", index=False)
    return folder / "bars.csv"


def write_parquet(world, folder: Path) -> Path:
    folder.mkdir()
    frame(world).to_parquet(folder / "bars.parquet")
    return folder / "bars.parquet"


def write_actions(world, folder: Path) -> Path:
    folder.mkdir()
    (folder / "actions.csv").write_text("date,asset,action,amount,ratio,other\n" + "2019-01-03,AAA,dividend,0.5,,\n2019-01-04,BBB,split,,2,\n2019-01-07,CCC,spinoff,,0.5,AAA\n2019-01-08,DDD,merger,10,0.5,AAA\n2019-01-09,EEE,delisting,-0.3,,\n2019-01-10,AAA,ticker,,,ZZZ\n")
    return folder / "actions.csv"


def write_french(world, folder: Path) -> Path:
    folder.mkdir()
    test_french.french_file(folder / "f.csv")
    return folder / "f.csv"


def write_holdings(world, folder: Path) -> Path:
    folder.mkdir()
    (folder / "h.csv").write_text(test_holdings.holdings(world, 25), encoding="utf-8")
    return folder / "h.csv"


def write_norgate(world, folder: Path) -> Path:
    return test_norgate.write(world, folder)


FORMATS: dict[str, tuple[Callable[..., object], Callable[..., Path]]] = {
    "bars": (RawBars().read, write_bars),
    "parquet": (RawBars().read, write_parquet),
    "actions": (read_actions, write_actions),
    "french": (FrenchPortfolios().read, write_french),
    "ishares": (FundHoldings().read, write_holdings),
    "sharadar": (Sharadar().read, test_sharadar.write),
    "crsp": (CrspLegacy().read, test_crsp.write_legacy),
    "crsp-ciz": (CrspCiz().read, test_crsp.write_ciz),
    "norgate": (NorgateCsv().read, write_norgate),
}


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    for _ in range(int(rng.integers(1, 4))):
        at, length = int(rng.integers(len(content) + 1)), int(rng.integers(1, 30))
        token = TOKENS[int(rng.integers(len(TOKENS)))]
        match int(rng.integers(5)):
            case 0:
                content = content[:at] + token + content[at:]
            case 1:
                content = content[:at] + token + content[at + len(token) :]
            case 2:
                content = content[:at] + content[at + length :]
            case 3:
                content = content[:at] + content[at : at + length] + content[at:]
            case _:
                content = content[:at] if rng.random() < 0.2 else content[:at] + bytes([int(rng.integers(256))]) + content[at + 1 :]
    return content


@pytest.mark.parametrize("name", FORMATS)
def test_a_mutated_file_is_read_or_refused(world, tmp_path, name):
    read, write = FORMATS[name]
    whole = write(world, tmp_path / "whole")
    files = sorted((whole.parent if whole.is_file() else whole).iterdir())
    rng = np.random.default_rng(int(os.environ.get("GAMMASTAR_MUTATION_SEED", "5")))
    refused = 0
    for k in range(ROUNDS):
        folder = tmp_path / "spoiled"
        shutil.copytree(files[0].parent, folder)
        file = files[int(rng.integers(len(files)))]
        (folder / file.name).write_bytes(mutated(file.read_bytes(), rng))
        start = time.process_time()
        try:
            read(folder / whole.name if whole.is_file() else folder)
        except GammastarError:
            refused += 1
        except Exception as error:  # noqa: BLE001 - which one it is, and of which mutation, is what one wants to know
            pytest.fail(f"mutation {k} of {file.name}: {error!r}")
        assert time.process_time() - start < 2.0
        shutil.rmtree(folder)
    assert refused > 0
