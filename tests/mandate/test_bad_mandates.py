"""Mandate files that cannot be used: each message names the place, the value, what is allowed and what to do."""

from __future__ import annotations

import pytest
from tests.corpus.mandates import BAD, CAPTURE

from gammastar.errors import MandateError
from gammastar.mandate import Mandate


@pytest.fixture
def message(tmp_path):
    """Return the message for a file of the given text or bytes."""

    def told(content: str | bytes) -> str:
        path = tmp_path / "mandate.toml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises(MandateError) as caught:
            Mandate.load(path)
        text = str(caught.value)
        assert text.startswith(f"{path}")
        assert caught.value.where
        assert caught.value.what
        return text.removeprefix(f"{path}")

    return told


@pytest.mark.parametrize(("text", "line", "key", "said"), BAD.values(), ids=BAD)
def test_bad_mandate(message, text, line, key, said):
    """File, line and dotted key open the message; the rest is in it."""
    place = f", {key}: " if line is None else f", line {line}, {key}: "
    told = message(text)
    assert told.startswith(place)
    for part in said:
        assert part in told
    for jargon in ("Input should", "valid dictionary", "instance of", "extra_forbidden", "None"):
        assert jargon not in told


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (CAPTURE + 'kind = "generated"\n', (", line 4,", "the key stands twice", 'Got kind = "generated"')),
        (CAPTURE + "[rules\n", (", line 4,", "not TOML", "Got [rules")),
        (CAPTURE + "[rules]\nbeta = { limit = 0,01 }\n", (", line 5,", "Got beta")),
        (CAPTURE + "[clocks]\nrebalance = weekly\n", (", line 5,", "text needs quotes", "Got rebalance = weekly")),
        (CAPTURE + "name = 'x", ("not TOML", "mend the end of the file")),
        ("", ("the file is empty", "gammastar init")),
        ("\n# nothing yet\n", ("the file is empty",)),
        (CAPTURE.encode("utf-16"), ("not UTF-8", "save it as UTF-8")),
        (CAPTURE.replace("x", "Zürich").encode("latin-1"), ("not UTF-8", "byte 0xfc at 9")),
        (b"PAR1\x00\x01\xff", ("not UTF-8",)),
    ],
)
def test_not_even_toml(message, content, said):
    """A file that is no TOML, no text, or nothing says so."""
    told = message(content)
    for part in said:
        assert part in told


def test_first_the_typo_then_the_rest(message):
    """Of many problems a mistyped key comes first, and the others are listed by their keys."""
    told = message(CAPTURE + "[rules]\nactive_weight = { limit = 5 }\nbeta = { limt = 0.01 }\n[clocks]\nlag = -1\n")
    assert told.startswith(", line 6, rules.beta.limt")
    assert "then mend rules.active_weight.limit, clocks.lag" in told
    assert "rules.beta.limit" not in told


def test_no_file(tmp_path):
    """A missing file and a folder are told apart."""
    with pytest.raises(MandateError, match=r"No such file.*gammastar init"):
        Mandate.load(tmp_path / "absent.toml")
    with pytest.raises(MandateError, match=r"Is a directory.*mandate\.toml in it"):
        Mandate.load(tmp_path)


def test_unreadable_file(tmp_path, monkeypatch):
    """What the operating system refuses is told in its words."""
    path = tmp_path / "mandate.toml"
    path.write_text(CAPTURE)

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(path), "read_text", refuse)
    with pytest.raises(MandateError, match="Permission denied"):
        Mandate.load(path)


def test_lines_of_a_long_file_are_found_fast(tmp_path):
    """Five hundred exclusions with the last one wrong: the line is exact."""
    entries = "".join(f"[[rules.exclude]]\nasset = 'A{k}'\nreason = 'client'\n" for k in range(500))
    path = tmp_path / "mandate.toml"
    path.write_text(CAPTURE + entries + "[[rules.exclude]]\nasset = 'A0'\nreason = 'again'\n")
    with pytest.raises(MandateError, match=r"line 1505, rules\.exclude\.500\.asset"):
        Mandate.load(path)
