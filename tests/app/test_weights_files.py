"""Weight and holdings files: bad ones are refused with row and column, good ones read to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from tests.corpus.weights import ASSETS, BAD, HEAD

from gammastar.errors import WeightsError
from gammastar.market.assets import Assets
from gammastar.trade import read_weights, weights_csv


@pytest.mark.parametrize(("content", "place", "said"), BAD.values(), ids=BAD)
def test_bad_weights(tmp_path, content, place, said):
    """File, row and column open the message; value and what is allowed are in it."""
    path = tmp_path / "weights.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(WeightsError) as caught:
        read_weights(path, ASSETS)
    told = str(caught.value)
    assert told.startswith(f"{path}{place}: ")
    for part in said:
        assert part in told


def test_no_file(tmp_path):
    """A missing file and a folder are refused by name."""
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(WeightsError, match="cannot be read"):
            read_weights(path, ASSETS)


@pytest.mark.parametrize(
    "content",
    [
        HEAD + "101,0.25\n103,0.5\n",
        b"\xef\xbb\xbf" + HEAD.encode() + b"103,0.5\r\n101,0.25\r\n",
        'name,weight,asset_id\n"Jones, Ltd",0.25,101\n,0.5,103\n',
        " asset_id , weight \n 101 , 2.5e-1 \n103,.5\n102,0\n",
    ],
)
def test_good_weights(tmp_path, content):
    """Order of rows and columns, other columns, BOM and blanks do not matter; what is not named is not held."""
    path = tmp_path / "weights.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    assert read_weights(path, ASSETS).tolist() == [0.25, 0.0, 0.5]


def test_round_trip_to_the_bit(tmp_path):
    """Weights written are read back as the same floats."""
    rng = np.random.default_rng(3)
    assets, path = Assets(tuple(f"N{k}" for k in range(200))), tmp_path / "weights.csv"
    for _ in range(20):
        weights = np.where(rng.random(200) < 0.3, 0.0, rng.dirichlet(np.full(200, 0.3)))
        path.write_text(weights_csv(weights, assets))
        assert np.array_equal(read_weights(path, assets), weights)
