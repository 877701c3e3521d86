"""Files of weights that cannot be used: the content, the place that the message must name, and what else it must say."""

from __future__ import annotations

from gammastar.market.assets import Assets

ASSETS = Assets(("101", "102", "103"), ("AAA", "BBB", "AAA"))
HEAD = "asset_id,weight\n"

# content, place, and what else the message must say
BAD = {
    "empty": ("", ", row 1", ("no column 'asset_id'", "Got an empty file")),
    "header only": (HEAD, ", row 2", ("there are no rows",)),
    "blank rows only": (HEAD + "\n\n", ", row 2", ("there are no rows",)),
    "no weight": ("asset_id,shares\n101,5\n", ", row 1", ("no column 'weight'", "Got asset_id, shares", "Allowed: asset_id,weight")),
    "no asset": ("ticker,weight\nAAA,1\n", ", row 1", ("no column 'asset_id'",)),
    "no header": ("101,0.5\n102,0.5\n", ", row 1", ("no column 'asset_id'", "header line")),
    "weight twice": ("asset_id,weight,weight\n101,1,1\n", ", row 1", ("'weight' stands twice",)),
    "semicolons": ("asset_id;weight\n101;0.5\n", ", row 1", ("commas, not semicolons",)),
    "asset twice": (HEAD + "101,0.5\n102,0.2\n101,0.3\n", ", row 4, column 'asset_id'", ("first in row 2", "Got 101", "add its rows up")),
    "unknown asset": (HEAD + "101,0.5\n999,0.5\n", ", row 3, column 'asset_id'", ("no such asset", "Got 999", "permanent ids")),
    "ticker": (HEAD + "BBB,1\n", ", row 2, column 'asset_id'", ("Got BBB", "write 102 for BBB")),
    "ticker of two": (HEAD + "AAA,1\n", ", row 2, column 'asset_id'", ("write 101 or 103 for AAA",)),
    "no id": (HEAD + ",1\n", ", row 2, column 'asset_id'", ("Got nothing",)),
    "percent sign": (HEAD + "101,5%\n", ", row 2, column 'weight'", ("Got 5%", "write 0.05")),
    "percent": (HEAD + "101,60\n102,40\n", "", ("sum to more than one", "Got 100", "divide by 100")),
    "above one": (HEAD + "101,0.9\n102,0.2\n", "", ("sum to more than one", "Got 1.1", "at most 1")),
    "all zero": (HEAD + "101,0\n102,0\n", "", ("all weights are zero",)),
    "negative": (HEAD + "101,1.1\n102,-0.1\n", ", row 3, column 'weight'", ("Got -0.1", "0 or more")),
    "NaN": (HEAD + "101,nan\n", ", row 2, column 'weight'", ("Got nan",)),
    "infinite": (HEAD + "101,inf\n", ", row 2, column 'weight'", ("Got inf",)),
    "text": (HEAD + "101,much\n", ", row 2, column 'weight'", ("Got much", "1% is 0.01")),
    "underscore": (HEAD + "101,0_5\n", ", row 2, column 'weight'", ("Got 0_5",)),
    "no number": (HEAD + "101,\n", ", row 2, column 'weight'", ("Got nothing",)),
    "short row": (HEAD + "101,0.5\n102\n", ", row 3, column 'weight'", ("Got nothing",)),
    "decimal comma": (HEAD + "101,0,5\n", ", row 2", ("more columns than the header", "decimals with a point")),
    "rows after blank ones": (HEAD + "\n101,0.5\n\n999,0.5\n", ", row 5, column 'asset_id'", ("Got 999",)),
    "broken quotes": (HEAD + '"101,0.5\n', ", row 2", ("this is not CSV", "mend the quotes")),
    "text after quotes": (HEAD + '"101"x,0.5\n', ", row 2", ("this is not CSV",)),
    "UTF-16": ((HEAD + "101,1\n").encode("utf-16"), "", ("not UTF-8", "save it as UTF-8")),
    "latin-1": (HEAD.encode() + "Z\xfcrich,1\n".encode("latin-1"), "", ("not UTF-8", "0xfc")),
    "order list": ("asset_id,weight,from_weight,to_weight\n101,0.1,0.2,0.3\n", ", row 1", ("an order list", "--targets")),
}  # fmt: skip
