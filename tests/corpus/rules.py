"""Mandate files whose rules or files of numbers cannot be used: the text, the place that the message must name, and what else it must say."""

from __future__ import annotations

CAPTURE = 'name = "x"\n[strategy]\nkind = "volatility_capture"\n'
RULES = CAPTURE + "[rules]\n"
LOT = RULES + "cash = { maximum = 0.01 }\n"


def entry(name: str, more: str, asset: str = "A") -> str:
    return f"[[rules.{name}]]\nasset = '{asset}'\nreason = 'r'\n{more}"


# text of the file, line, key, and what else the message must say; the rules start in line 5
BAD = {
    # tracking error and beta
    "target above the limit": (RULES + "tracking_error = { limit = 0.02, target = 0.03 }\n", 5, "rules.tracking_error.target", ("above the limit", "Got 0.03", "0.02")),
    "target in percent": (RULES + "tracking_error = { limit = 0.02, target = 1.5 }\n", 5, "rules.tracking_error.target", ("write 0.015 for 1.5%",)),
    "factor part in percent": (RULES + "tracking_error = { limit = 0.02, factor = { limit = 1 } }\n", 5, "rules.tracking_error.factor.limit", ("write 0.01 for 1%",)),
    "factor part as a percent number": (RULES + "tracking_error = { limit = 0.02, factor = 1 }\n", 5, "rules.tracking_error.factor.limit", ("write 0.01 for 1%",)),
    "specific part as text": (RULES + "tracking_error = { limit = 0.02, specific = 'low' }\n", 5, "rules.tracking_error.specific", ("a table is needed", "write specific = { limit = ... }")),
    "truth for a part": (RULES + "tracking_error = { limit = 0.02, factor = true }\n", 5, "rules.tracking_error.factor", ("a table is needed", "Got true")),
    "part without a limit": (RULES + "tracking_error = { limit = 0.02, factor = { priority = 1 } }\n", 5, "rules.tracking_error.factor.limit", ("this key is needed",)),
    "no whole tracking error": (RULES + "tracking_error = { factor = 0.01 }\n", 5, "rules.tracking_error.limit", ("this key is needed", "2% is 0.02")),
    "second benchmark that is not there": (RULES + "tracking_error = { limit = 0.02, second_benchmark = 0.04 }\n", 5, "rules.tracking_error.second_benchmark", ("needs a second benchmark", "add [second_benchmark]")),
    "second model that is not there": (RULES + "tracking_error = { limit = 0.02, second_model = { limit = 0.04 } }\n", 5, "rules.tracking_error.second_model", ("needs a second risk model", "add [second_risk]")),
    "beta to a benchmark that is not there": (RULES + "beta = { limit = 0.02, second_benchmark = { limit = 0.04 } }\n", 5, "rules.beta.second_benchmark", ("needs a second benchmark",)),
    "beta with a second model": (RULES + "beta = { limit = 0.02, second_model = 0.04 }\n", 5, "rules.beta.second_model", ("there is no such key", "[rules.tracking_error]")),
    # priority, penalty, clause
    "priority above five": (RULES + "beta = { limit = 0.02, priority = 6 }\n", 5, "rules.beta.priority", ("out of range", "Got 6", "0 (never gives way)")),
    "priority below zero": (RULES + "beta = { limit = 0.02, priority = -1 }\n", 5, "rules.beta.priority", ("Got -1",)),
    "half a priority": (RULES + "beta = { limit = 0.02, priority = 1.5 }\n", 5, "rules.beta.priority", ("a whole number is needed", "Got 1.5")),
    "priority in words": (RULES + "beta = { limit = 0.02, priority = 'last' }\n", 5, "rules.beta.priority", ("a whole number is needed", 'Got "last"')),
    "free penalty": (RULES + "beta = { limit = 0.02, penalty_bp = 0 }\n", 5, "rules.beta.penalty_bp", ("out of range", "above 0, in basis points")),
    "endless penalty": (RULES + "sector = { limit = 0.02, penalty_bp = inf }\n", 5, "rules.sector.penalty_bp", ("Got inf",)),
    "penalty without its unit": (RULES + "sector = { limit = 0.02, penalty = 5 }\n", 5, "rules.sector.penalty", ("write penalty_bp",)),
    "clause as a number": (RULES + "beta = { limit = 0.02, clause = 4.2 }\n", 5, "rules.beta.clause", ("text in quotes", "Got 4.2")),
    "soft names": (RULES + "names = { maximum = 50, penalty_bp = 5 }\n", 5, "rules.names.penalty_bp", ("cannot be soft", "priority")),
    "soft smallest holding": (RULES + "min_holding = { limit = 0.001, penalty_bp = 5 }\n", 5, "rules.min_holding.penalty_bp", ("cannot be soft",)),
    "soft smallest trade": (RULES + "min_trade = { limit = 0.001, penalty_bp = 5 }\n", 5, "rules.min_trade.penalty_bp", ("cannot be soft",)),
    "soft lots": (LOT + "lot = { shares = 100, penalty_bp = 5 }\n", 6, "rules.lot.penalty_bp", ("cannot be soft",)),
    "soft shares of risk": (RULES + "risk_contribution = { limit = 0.1, penalty_bp = 5 }\n", 5, "rules.risk_contribution.penalty_bp", ("cannot be soft",)),
    "soft 5/10/40": (RULES + "concentration = { five_ten_forty = { penalty_bp = 5 } }\n", 5, "rules.concentration.five_ten_forty.penalty_bp", ("cannot be soft",)),
    "soft exclusion": (CAPTURE + entry("exclude", "penalty_bp = 5\n"), 7, "rules.exclude.0.penalty_bp", ("never gives way", "remove it")),
    "list with a priority": (CAPTURE + entry("freeze", "priority = 5\n"), 7, "rules.freeze.0.priority", ("never gives way",)),
    "penalty of no limit": (RULES + "turnover = { buys = 0.1, penalty_bp = 5 }\n", 5, "rules.turnover.penalty_bp", ("belongs to the limit", "Got 5", "add limit")),
    "priority of no limit": (RULES + "risk_contribution = { by = { sector = 0.5 }, priority = 1 }\n", 5, "rules.risk_contribution.priority", ("belongs to the limit",)),
    "options of a table of rules": (RULES + "exposure = { size = 0.1, priority = 1 }\n", 5, "rules.exposure.priority", ("there is no such key", "size")),
    # weights and groups
    "limit of an asset in percent": (RULES + "active_weight = { limit = 0.01, assets = { A1 = 2 } }\n", 5, "rules.active_weight.assets.A1", ("write 0.02 for 2%",)),
    "limits of assets as a list": (RULES + "active_weight = { limit = 0.01, assets = ['A1'] }\n", 5, "rules.active_weight.assets", ("a table is needed",)),
    "limit of a group below zero": (RULES + "active_weight = { limit = 0.01, groups = { Energy = -0.1 } }\n", 5, "rules.active_weight.groups.Energy", ("Got -0.1",)),
    "attribute of no groups": (RULES + "active_weight = { limit = 0.01, attribute = 'country' }\n", 5, "rules.active_weight.attribute", ("no group has one", "add groups")),
    "group without attribute": (CAPTURE + "[[rules.group]]\nlimit = 0.02\n", 4, "rules.group.0.attribute", ("this key is needed",)),
    "group without limit": (CAPTURE + "[[rules.group]]\nattribute = 'country'\n", 4, "rules.group.0.limit", ("this key is needed", "1% is 0.01")),
    "sector as a group": (CAPTURE + "[[rules.group]]\nattribute = 'sector'\nlimit = 0.02\n", 5, "rules.group.0.attribute", ("table of its own", "[rules.sector]")),
    "one table for groups": (CAPTURE + "[rules.group]\nattribute = 'country'\nlimit = 0.02\n", 4, "rules.group", ("a list of tables", "[[rules.group]]")),
    "attribute twice": (CAPTURE + 2 * "[[rules.group]]\nattribute = 'country'\nlimit = 0.02\n", 8, "rules.group.1.attribute", ("two tables", 'Got "country"')),
    "group limit in percent": (CAPTURE + "[[rules.group]]\nattribute = 'country'\nlimit = 0.02\nlimits = { US = 3 }\n", 7, "rules.group.0.limits.US", ("write 0.03 for 3%",)),
    "bounds of nothing": (CAPTURE + "[[rules.group_weight]]\nattribute = 'country'\nbounds = {}\n", 6, "rules.group_weight.0.bounds", ("the table is empty", "label")),
    "bounds without a bound": (CAPTURE + "[[rules.group_weight]]\nattribute = 'country'\nbounds = { US = {} }\n", 6, "rules.group_weight.0.bounds.US.maximum", ("no bound", "maximum, minimum")),
    "bounds crossed": (CAPTURE + "[[rules.group_weight]]\nattribute = 'country'\nbounds = { US = { minimum = 0.6, maximum = 0.5 } }\n", 6, "rules.group_weight.0.bounds.US.minimum", ("above the maximum", "Got 0.6")),
    "bounds in percent": (CAPTURE + "[[rules.group_weight]]\nattribute = 'country'\nbounds = { US = { minimum = 60 } }\n", 6, "rules.group_weight.0.bounds.US.minimum", ("write 0.6 for 60%",)),
    "bounds as numbers": (CAPTURE + "[[rules.group_weight]]\nattribute = 'country'\nbounds = { US = 0.6 }\n", 6, "rules.group_weight.0.bounds.US", ("a table is needed", "minimum")),
    "bounds twice": (CAPTURE + 2 * "[[rules.group_weight]]\nattribute = 'country'\nbounds = { US = { maximum = 0.6 } }\n", 8, "rules.group_weight.1.attribute", ("two tables",)),
    "exposure to nothing": (RULES + "exposure = {}\n", 5, "rules.exposure.size", ("no characteristic", "momentum")),
    "exposure too wide": (RULES + "exposure = { momentum = { limit = 7 } }\n", 5, "rules.exposure.momentum.limit", ("0 to 5 standard deviations", "Got 7")),
    "unknown characteristic": (RULES + "exposure = { value = { limit = 0.1 } }\n", 5, "rules.exposure.value", ("there is no such key", "reversal")),
    "active share in percent": (RULES + "active_share = { limit = 60 }\n", 5, "rules.active_share.limit", ("write 0.6 for 60%",)),
    # cash
    "cash crossed": (RULES + "cash = { minimum = 0.02, maximum = 0.01 }\n", 5, "rules.cash.minimum", ("above the maximum", "Got 0.02", "0.01")),
    "cash without a maximum": (RULES + "cash = { minimum = 0.02 }\n", 5, "rules.cash.maximum", ("this key is needed",)),
    "cash premium in percent": (RULES + "cash = { maximum = 0.01, premium = 5 }\n", 5, "rules.cash.premium", ("write 0.05 for 5%",)),
    "cash mode switched off": (RULES + "cash_mode = false\n", 5, "rules.cash_mode", ("Got false", "remove it")),
    # trades
    "turnover of nothing": (RULES + "turnover = {}\n", 5, "rules.turnover.limit", ("no turnover is limited", "limit, buys, year")),
    "buys above all": (RULES + "turnover = { buys = 1.5 }\n", 5, "rules.turnover.buys.limit", ("Got 1.5", "from 0 to 1")),
    "turnover of a year below zero": (RULES + "turnover = { year = -1 }\n", 5, "rules.turnover.year.limit", ("Got -1", "from 0 to 100")),
    "liquidity of nothing": (RULES + "liquidity = { window = 21 }\n", 5, "rules.liquidity.trade", ("neither trades nor holdings", "trade, holding")),
    "no trade at all": (RULES + "liquidity = { trade = 0 }\n", 5, "rules.liquidity.trade.limit", ("above 0", "average daily volumes")),
    "window of no session": (RULES + "liquidity = { trade = 0.2, window = 0 }\n", 5, "rules.liquidity.window", ("a whole number, 1 or more",)),
    # concentration
    "concentration of nothing": (RULES + "concentration = {}\n", 5, "rules.concentration.top", ("top, issuer, five_ten_forty",)),
    "top without count": (RULES + "concentration = { top = { limit = 0.4 } }\n", 5, "rules.concentration.top.count", ("this key is needed", "1 or more")),
    "top of none": (RULES + "concentration = { top = { count = 0, limit = 0.4 } }\n", 5, "rules.concentration.top.count", ("Got 0",)),
    "top as a number": (RULES + "concentration = { top = 0.4 }\n", 5, "rules.concentration.top", ("a table is needed", "limit, count")),
    "5/10/40 switched off": (RULES + "concentration = { five_ten_forty = false }\n", 5, "rules.concentration.five_ten_forty", ("Got false", "true, or a table")),
    "5/10/40 as a number": (RULES + "concentration = { five_ten_forty = 0.4 }\n", 5, "rules.concentration.five_ten_forty", ("a table is needed", "each")),
    "5/10/40 upside down": (RULES + "concentration = { five_ten_forty = { each = 0.04 } }\n", 5, "rules.concentration.five_ten_forty.threshold", ("threshold is above each", "0.04")),
    "all below each": (RULES + "concentration = { five_ten_forty = { total = 0.08 } }\n", 5, "rules.concentration.five_ten_forty.each", ("each is above total",)),
    # lists
    "ends before it begins": (CAPTURE + entry("exclude", "from = 2020-01-01\nuntil = 2019-01-01\n"), 8, "rules.exclude.0.until", ("ends before it begins", "2020-01-01 or later")),
    "no day": (CAPTURE + entry("no_buy", "from = 'soon'\n"), 7, "rules.no_buy.0.from", ("not a day", 'Got "soon"', "2019-11-29")),
    "impossible day": (CAPTURE + entry("no_sell", "until = '2019-02-30'\n"), 7, "rules.no_sell.0.until", ("not a day", "2019-02-30")),
    "day in another order": (CAPTURE + entry("no_sell", "until = '30.11.2019'\n"), 7, "rules.no_sell.0.until", ("not a day",)),
    "day with a time": (CAPTURE + entry("must_sell", "from = 2019-01-01T12:00:00\n"), 7, "rules.must_sell.0.from", ("not a day", "without a time")),
    "day as a number": (CAPTURE + entry("freeze", "from = 20190101\n"), 7, "rules.freeze.0.from", ("not a day", "20190101")),
    "the name of a day in the types": (CAPTURE + entry("freeze", "start = 2019-01-01\n"), 7, "rules.freeze.0.start", ("there is no such key", "from, reason, until")),
    "no reason": (CAPTURE + "[[rules.no_buy]]\nasset = 'A'\n", 4, "rules.no_buy.0.reason", ("this key is needed",)),
    "days that overlap": (CAPTURE + entry("freeze", "until = 2020-01-01\n") + entry("freeze", "from = 2020-01-01\n"), 9, "rules.freeze.1.asset", ("listed twice", "do not overlap")),
    # discrete rules
    "names crossed": (RULES + "names = { minimum = 60, maximum = 50 }\n", 5, "rules.names.minimum", ("above the maximum", "Got 60", "50")),
    "names of nothing": (RULES + "names = {}\n", 5, "rules.names.maximum", ("no bound",)),
    "part of a name": (RULES + "names = { maximum = 50.5 }\n", 5, "rules.names.maximum", ("a whole number is needed",)),
    "no names": (RULES + "names = { maximum = 0 }\n", 5, "rules.names.maximum", ("1 or more",)),
    "smallest holding of nothing": (RULES + "min_holding = { limit = 0 }\n", 5, "rules.min_holding.limit", ("above 0, up to 1",)),
    "grandfather in words": (RULES + "min_holding = { limit = 0.01, grandfather = 'yes' }\n", 5, "rules.min_holding.grandfather", ("true or false",)),
    "smallest trade in percent": (RULES + "min_trade = { limit = 2 }\n", 5, "rules.min_trade.limit", ("write 0.02 for 2%",)),
    "lots without cash": (RULES + "lot = { shares = 100 }\n", 5, "rules.lot", ("no room for one", "add cash")),
    "lots with no cash at most": (RULES + "cash = { maximum = 0 }\nlot = { shares = 100 }\n", 6, "rules.lot", ("rules.cash.maximum above its minimum",)),
    "lots with exact cash": (RULES + "cash = { minimum = 0.01, maximum = 0.01 }\nlot = { shares = 100 }\n", 6, "rules.lot", ("no room for one",)),
    "lots of nothing": (LOT + "lot = { shares = 0 }\n", 6, "rules.lot.shares", ("1 or more",)),
    "shares of risk of nothing": (RULES + "risk_contribution = {}\n", 5, "rules.risk_contribution.limit", ("no share", "by = {")),
    "share of risk in percent": (RULES + "risk_contribution = { by = { sector = 30 } }\n", 5, "rules.risk_contribution.by.sector.limit", ("write 0.3 for 30%",)),
    # strategy
    "blend of equal growth": (CAPTURE + "growth = { kind = 'equal', blend = 0.5 }\n", 4, "strategy.growth.blend", ('belongs to kind = "arithmetic"',)),
    "blend beyond the whole": (CAPTURE + "growth = { kind = 'arithmetic', blend = 1.5 }\n", 4, "strategy.growth.blend", ("0 to 1", "Got 1.5")),
    "one bucket": (CAPTURE + "growth = { kind = 'rank', buckets = 1 }\n", 4, "strategy.growth.buckets", ("from 2 to 100",)),
    "window of another growth": (CAPTURE + "growth = { kind = 'arithmetic', window = 500 }\n", 4, "strategy.growth.window", ('belongs to kind = "rank"',)),
    "unknown growth": (CAPTURE + "growth = { kind = 'ranks' }\n", 4, "strategy.growth.kind", ('write "rank"', "equal, arithmetic, rank, given")),
    "given growth without file": (CAPTURE + "growth = { kind = 'given', known = 2019-01-01 }\n", 4, "strategy.growth.file", ('needed with kind = "given"', "CSV")),
    "given growth without day": (CAPTURE + "growth = { kind = 'given', file = 'good.csv' }\n", 4, "strategy.growth.known", ('needed with kind = "given"', "2019-11-29")),
    "file of another growth": (CAPTURE + "growth = { kind = 'equal', file = 'good.csv' }\n", 4, "strategy.growth.file", ('belongs to kind = "given"',)),
    "aversion below zero": (CAPTURE + "factor_aversion = -1\n", 4, "strategy.factor_aversion", ("Got -1", "0 to 1000")),
    "aversion in words": (CAPTURE + "specific_aversion = 'high'\n", 4, "strategy.specific_aversion", ("a number is needed",)),
    "penalty without aversion": (CAPTURE + "[[strategy.penalty]]\nsecond_model = true\n[second_risk]\n", 4, "strategy.penalty.0.aversion", ("this key is needed",)),
    "penalty with a missing benchmark": (CAPTURE + "[[strategy.penalty]]\naversion = 1\nsecond_benchmark = true\n", 6, "strategy.penalty.0.second_benchmark", ("needs a second benchmark",)),
    "penalty with a missing model": (CAPTURE + "[[strategy.penalty]]\naversion = 1\nsecond_model = true\n", 6, "strategy.penalty.0.second_model", ("needs a second risk model",)),
    "one table for penalties": (CAPTURE + "[strategy.penalty]\naversion = 1\n", 4, "strategy.penalty", ("a list of tables", "[[strategy.penalty]]")),
    # seconds
    "second risk window too short": (CAPTURE + "[second_risk]\nwindow = 100\n", 5, "second_risk.window", ("fewer sessions", "Got 100")),
    "second risk of a kind that is not": (CAPTURE + "[second_risk]\nkind = 'pca'\n", 5, "second_risk.kind", ("Allowed: statistical_factors",)),
    "second benchmark without kind": (CAPTURE + "[second_benchmark]\nfunction = 'equal'\n", 4, "second_benchmark.kind", ("this key is needed", "generated, given")),
    "second benchmark of no kind": (CAPTURE + "[second_benchmark]\nkind = 'index'\n", 5, "second_benchmark.kind", ("generated, given",)),
    "second benchmark without function": (CAPTURE + "[second_benchmark]\nkind = 'generated'\n", 4, "second_benchmark.function", ('needed with kind = "generated"', "diversity")),
    "second benchmark without p": (CAPTURE + "[second_benchmark]\nkind = 'generated'\nfunction = 'diversity'\n", 4, "second_benchmark.p", ('needed with function = "diversity"',)),
    "function of a given benchmark": (CAPTURE + "[second_benchmark]\nkind = 'given'\nfunction = 'equal'\n", 6, "second_benchmark.function", ('belongs to kind = "generated"',)),
    "given benchmark without a file": (CAPTURE + "[second_benchmark]\nkind = 'given'\nknown = '2019-01-01'\n", 4, "second_benchmark.file", ('needed with kind = "given"',)),
}  # fmt: skip

GROWTH = CAPTURE + "growth = { kind = 'given', known = 2019-01-01, file = 'growth.csv' }\n"
WEIGHTS = CAPTURE + "[second_benchmark]\nkind = 'given'\nknown = 2019-01-01\nfile = 'growth.csv'\n"

# the mandate, what stands in growth.csv (None: there is no such file), and what the message says
BAD_FILES = {
    "missing": (GROWTH, None, ("No such file", 'Got "growth.csv"', "folder of the mandate")),
    "empty": (GROWTH, "", ("the column 'asset_id' is missing", "an empty file")),
    "no rows": (GROWTH, "asset_id,growth\n", ("no rows",)),
    "other columns": (GROWTH, "asset_id,weight\nA,1\n", ("row 1", "'growth' is missing", 'Got "asset_id, weight"')),
    "a column twice": (GROWTH, "asset_id,growth,growth\nA,0.1,0.1\n", ("'growth' stands twice",)),
    "no number": (GROWTH, "asset_id,growth\nA,0.1\nB,high\n", ("row 3", "column 'growth'", "not a number", 'Got "high"')),
    "nothing for a number": (GROWTH, "asset_id,growth\nA\n", ("row 2", "not a number")),
    "NaN": (GROWTH, "asset_id,growth\nA,nan\n", ("not a number", 'Got "nan"')),
    "infinite": (GROWTH, "asset_id,growth\nA,inf\n", ("out of range", 'Got "inf"')),
    "percent": (GROWTH, "asset_id,growth\nA,5\n", ("out of range", 'Got "5"', "5% is 0.05")),
    "asset twice": (GROWTH, "asset_id,growth\nA,0.1\nB,0.1\nA,0.2\n", ("row 4", "stands twice", 'Got "A"')),
    "asset without id": (GROWTH, "asset_id,growth\n ,0.1\n", ("row 2", "asset id is missing")),
    "open quote": (GROWTH, 'asset_id,growth\n"A,0.1\n', ("not CSV",)),
    "not text": (GROWTH, b"asset_id,growth\nA\xff,0.1\n", ("not UTF-8",)),
    "a number for a file": (GROWTH.replace("'growth.csv'", "3"), "", ("the name of a file is needed", "Got 3")),
    "a blank for a file": (GROWTH.replace("'growth.csv'", "' '"), "", ("the name of a file is needed",)),
    "weights without weight": (WEIGHTS, "asset_id,growth\nA,1\n", ("'weight' is missing",)),
    "negative weight": (WEIGHTS, "asset_id,weight\nA,-0.1\n", ("out of range", 'Got "-0.1"', "from 0 to 1")),
    "weights of nothing": (WEIGHTS, "asset_id,weight\nA,0\nB,0\n", ("all weights of the file are zero",)),
}  # fmt: skip
