"""Mandate files that cannot be used: each message names the place, the value, what is allowed and what to do."""

from __future__ import annotations

import pytest

from gammastar.errors import MandateError
from gammastar.mandate import Mandate

CAPTURE = 'name = "x"\n[strategy]\nkind = "volatility_capture"\n'
GENERATED = 'name = "x"\n[strategy]\nkind = "generated"\n'
EXCLUDE = '[[rules.exclude]]\nasset = "A"\nreason = "client"\n'

# text of the file, line (None: no line can be named), key, and what else the message must say
BAD = {
    "typo at the top": ("nmae = 'x'\n" + CAPTURE, 1, "nmae", ("there is no such key", "Got nmae", "write name")),
    "typo in a table": (CAPTURE + "[rulez]\nbeta = { limit = 0.01 }\n", 4, "rulez", ("write rules",)),
    "typo in the strategy": (CAPTURE + "holding_period_yaers = 1\n", 4, "strategy.holding_period_yaers", ("write holding_period_years",)),
    "typo in an inline table": (CAPTURE + "growth = { knid = 'equal' }\n", 4, "strategy.growth.knid", ("Allowed: blend", "write kind")),
    "typo in a nested table": (CAPTURE + "[strategy.growth]\nknid = 'equal'\n", 5, "strategy.growth.knid", ("write kind",)),
    "typo in a rule": (CAPTURE + "[rules]\ntracking_eror = { limit = 0.02 }\n", 5, "rules.tracking_eror", ("write tracking_error", "sector")),
    "typo in a limit": (CAPTURE + "[rules]\n\nbeta = { limt = 0.01 }\n", 6, "rules.beta.limt", ("write limit",)),
    "typo two tables deep": (CAPTURE + "[rules]\nexposure = { size = { limti = 0.01 } }\n", 5, "rules.exposure.size.limti", ("write limit",)),
    "typo in a dotted key": (CAPTURE + "[rules]\nbeta.limt = 0.01\n", 5, "rules.beta.limt", ("write limit",)),
    "typo in the second exclusion": (CAPTURE + EXCLUDE + "[[rules.exclude]]\nasset = 'B'\nreson = 'c'\n", 9, "rules.exclude.1.reson", ("write reason",)),
    "key of another table": (CAPTURE + "[clocks]\ncost_bp = 5\n", 5, "clocks.cost_bp", ("belongs in [trading]",)),
    "rule above the tables": ("names = { maximum = 50 }\n" + CAPTURE, 1, "names", ("write name, if that was meant; names belongs in [rules]",)),
    "key of another strategy": (GENERATED + "function = 'market'\ngrowth = { kind = 'equal' }\n", 5, "strategy.growth", ("another kind of strategy",)),
    "limit in percent": (CAPTURE + "[rules]\nactive_weight = { limit = 5 }\n", 5, "rules.active_weight.limit", ("Got 5", "1% is 0.01", "write 0.05 for 5%")),
    "risk in percent": (CAPTURE + "[rules]\ntracking_error = { limit = 2 }\n", 5, "rules.tracking_error.limit", ("2% is 0.02", "write 0.02 for 2%")),
    "sector limit in percent": (CAPTURE + "[rules]\nsector = { limit = 0.01, limits = { Energy = 5 } }\n", 5, "rules.sector.limits.Energy", ("write 0.05 for 5%",)),
    "negative limit": (CAPTURE + "[rules]\nactive_weight = { limit = -0.05 }\n", 5, "rules.active_weight.limit", ("out of range", "Got -0.05", "from 0 to 1")),
    "NaN limit": (CAPTURE + "[rules]\nbeta = { limit = nan }\n", 5, "rules.beta.limit", ("Got nan", "from 0 to 1")),
    "infinite limit": (CAPTURE + "[rules]\nturnover = { limit = inf }\n", 5, "rules.turnover.limit", ("Got inf", "from 0 to 2")),
    "infinite cost": (CAPTURE + "[trading]\ncost_bp = inf\n", 5, "trading.cost_bp", ("0 to 1000 basis points",)),
    "NaN power": (GENERATED + "function = 'diversity'\np = nan\n", 5, "strategy.p", ("Got nan", "-5 to 5")),
    "NaN multiple": (CAPTURE + "[rules]\nweight = { multiple = nan }\n", 5, "rules.weight.multiple", ("0 to 100 times",)),
    "text for a number": (CAPTURE + "[rules]\nbeta = { limit = '0.01' }\n", 5, "rules.beta.limit", ("a number is needed", 'Got "0.01"', "write 0.01, without quotes")),
    "percent for a number": (CAPTURE + "[rules]\nbeta = { limit = '5%' }\n", 5, "rules.beta.limit", ("write 0.05, without quotes",)),
    "truth for a number": (CAPTURE + "[rules]\nactive_weight = { limit = true }\n", 5, "rules.active_weight.limit", ("a number is needed", "Got true")),
    "truth for a count": (CAPTURE + "[clocks]\nlag = true\n", 5, "clocks.lag", ("a whole number is needed", "Got true")),
    "truth for money": (CAPTURE + "[trading]\ncapital = true\n", 5, "trading.capital", ("a number is needed",)),
    "date for a number": (CAPTURE + "[rules]\nbeta = { limit = 2019-01-01 }\n", 5, "rules.beta.limit", ("a number is needed", "Got 2019-01-01")),
    "number for truth": (CAPTURE + "[trading]\nwhole_shares = 1\n", 5, "trading.whole_shares", ("true or false",)),
    "text for truth": (CAPTURE + "[trading]\nwhole_shares = 'yes'\n", 5, "trading.whole_shares", ("true or false", 'Got "yes"')),
    "fraction for a count": (CAPTURE + "[clocks]\nlag = 1.5\n", 5, "clocks.lag", ("a whole number is needed", "Got 1.5")),
    "number for a name": ("name = 3\n[strategy]\nkind = 'volatility_capture'\n", 1, "name", ("text in quotes is needed", "Got 3")),
    "number for a rule": (CAPTURE + "[rules]\nactive_weight = 0.05\n", 5, "rules.active_weight", ("a table is needed", "write active_weight = { limit = ... }")),
    "list for the rules": ("rules = [1]\n" + CAPTURE, 1, "rules", ("a table is needed", "tracking_error")),
    "text for the strategy": ("name = 'x'\nstrategy = 'volatility_capture'\n", 2, "strategy", ("a table is needed", "write strategy = { kind = ... }")),
    "blank name": ("name = '  '\n[strategy]\nkind = 'volatility_capture'\n", 1, "name", ("the text is empty",)),
    "no name": ("[strategy]\nkind = 'volatility_capture'\n", None, "name", ("this key is needed",)),
    "no strategy": ("name = 'x'\n", None, "strategy", ("this key is needed",)),
    "no kind": ("name = 'x'\n\n[strategy]\nholding_period_years = 1\n", 3, "strategy.kind", ("needs a kind", "volatility_capture, generated")),
    "no limit": (CAPTURE + "[rules]\nsector = { limits = { Energy = 0.01 } }\n", 5, "rules.sector.limit", ("this key is needed", "1% is 0.01")),
    "no function": (GENERATED, 2, "strategy.function", ("this key is needed",)),
    "unknown kind": ("name = 'x'\n[strategy]\nkind = 'volatility-capture'\n", 3, "strategy.kind", ('Got "volatility-capture"', 'write "volatility_capture"')),
    "kind is a number": ("name = 'x'\n[strategy]\nkind = 3\n", 3, "strategy.kind", ("Allowed: volatility_capture, generated",)),
    "unknown function": (GENERATED + "function = 'diverse'\n", 4, "strategy.function", ("gini_simpson", 'write "diversity"')),
    "unknown risk model": (CAPTURE + "[risk]\nkind = 'pca'\n", 5, "risk.kind", ('Got "pca"', "Allowed: statistical_factors")),
    "unknown clock": (CAPTURE + "[clocks]\nrebalance = 'biweekly'\n", 5, "clocks.rebalance", ('Got "biweekly"', "daily, weekly, monthly, quarterly", 'write "weekly"')),
    "clock with a capital": (CAPTURE + "[clocks]\nreoptimise = 'Monthly'\n", 5, "clocks.reoptimise", ('write "monthly"',)),
    "p with another function": (GENERATED + "function = 'entropy'\np = 0.5\n", 5, "strategy.p", ('belongs to function = "diversity"', "Got 0.5")),
    "p missing": (GENERATED + "function = 'diversity'\n", 2, "strategy.p", ("needed", "-5 to 5")),
    "shift with another function": (GENERATED + "function = 'market'\nshift = 1.0\n", 5, "strategy.shift", ('belongs to function = "entropy"',)),
    "asset excluded twice": (CAPTURE + EXCLUDE + EXCLUDE, 8, "rules.exclude.1.asset", ("excluded twice", 'Got "A"')),
    "exclusion without reason": (CAPTURE + "[[rules.exclude]]\nasset = 'A'\n", 4, "rules.exclude.0.reason", ("this key is needed",)),
    "exclusion with an empty reason": (CAPTURE + "[[rules.exclude]]\nasset = 'A'\nreason = ''\n", 6, "rules.exclude.0.reason", ("the text is empty",)),
    "exclusions as a list of names": (CAPTURE + "[rules]\nexclude = ['A']\n", 5, "rules.exclude.0", ("a table is needed", "write [[rules.exclude]]")),
    "exclusions as one table": (CAPTURE + "[rules.exclude]\nasset = 'A'\nreason = 'c'\n", 4, "rules.exclude", ("a list of tables", "[[rules.exclude]]")),
    "weight rule with nothing in it": (CAPTURE + "[rules]\nweight = {}\n", 5, "rules.weight.maximum", ("no bound", "minimum, maximum, plus, multiple")),
    "minimum above maximum": (CAPTURE + "[rules.weight]\nmaximum = 0.05\nminimum = 0.1\n", 6, "rules.weight.minimum", ("above the maximum", "Got 0.1", "0.05")),
    "more observations than the window": (CAPTURE + "[data]\nminimum_observations = 300\n", 5, "data.minimum_observations", ("Got 300", "observation_window, 252")),
    "risk window too short": (CAPTURE + "[risk]\nwindow = 100\n", 5, "risk.window", ("Got 100", "observation_window, 252")),
    "lag 0 with an estimate": (CAPTURE + "[clocks]\nlag = 0\n", 5, "clocks.lag", ("volatility capture", "Got 0", "write lag = 1")),
    "lag before the decision": (CAPTURE + "[clocks]\nlag = -1\n", 5, "clocks.lag", ("out of range", "Got -1", "0 to 20")),
    "no factors": (CAPTURE + "[risk]\nfactors = 0\n", 5, "risk.factors", ("from 1 to 60",)),
    "no capital": (CAPTURE + "[trading]\ncapital = 0\n", 5, "trading.capital", ("an amount above 0",)),
    "key in a comment": (CAPTURE + "[rules]\n# beta = { limit = 5 }\nbeta = { limit = 7 }\n", 6, "rules.beta.limit", ("Got 7",)),
    "key in a text": ("name = '''\nbeta = { limit = 7 }\n'''\n" + CAPTURE.split("\n", 1)[1] + "[rules]\nbeta = { limit = 7 }\n", 7, "rules.beta.limit", ("Got 7",)),
    "value over many lines": (CAPTURE + "[rules]\nexclude = [\n  { asset = 'A', reason = 'c' },\n  { asset = 'A', reason = 'd' },\n]\n", 5, "rules.exclude.1.asset", ("twice",)),
}  # fmt: skip


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
