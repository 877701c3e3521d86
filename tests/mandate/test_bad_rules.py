"""Mandate files whose rules, lists, seconds or growth assumptions cannot be used: each message names the place, the value, what is allowed, what to do."""

from __future__ import annotations

import pytest
from tests.corpus.rules import BAD, BAD_FILES, GROWTH

from gammastar.errors import MandateError
from gammastar.mandate import Mandate


def message(folder, text: str) -> str:
    path = folder / "mandate.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MandateError) as caught:
        Mandate.load(path)
    assert caught.value.where
    assert caught.value.what
    told = str(caught.value)
    assert told.startswith(f"{path}")
    for jargon in ("Input should", "valid dictionary", "instance of", "extra_forbidden", "None", "Value error"):
        assert jargon not in told
    return told.removeprefix(f"{path}")


@pytest.mark.parametrize(("text", "line", "key", "said"), BAD.values(), ids=BAD)
def test_bad_rule(tmp_path, text, line, key, said):
    """File, line and dotted key open the message; the rest is in it."""
    (tmp_path / "good.csv").write_text("asset_id,growth\nA,0.1\n")
    told = message(tmp_path, text)
    assert told.startswith(f", line {line}, {key}: ")
    for part in said:
        assert part in told


@pytest.mark.parametrize(("text", "content", "said"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_file_of_numbers(tmp_path, text, content, said):
    """A file that a mandate names is read with it: the message leads to the key, and to the row and column of the file."""
    if content is not None:
        (tmp_path / "growth.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    told = message(tmp_path, text)
    assert f"{'strategy.growth' if text.startswith(GROWTH[:60]) else 'second_benchmark'}.file: " in told
    for part in said:
        assert part in told
