"""Datasets that cannot be stored: how a clean one is spoilt, and the rule and place of the finding."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable


def csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


def parquet(table: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.to_parquet(stream, index=False)
    return stream.getvalue()


def parquet_raw(table: pd.DataFrame, old: bytes, new: bytes) -> bytes:
    """Return plain Parquet with some bytes replaced, as a broken writer leaves them."""
    stream = io.BytesIO()
    table.to_parquet(stream, index=False, compression="none", use_dictionary=False, write_statistics=False)
    return stream.getvalue().replace(old, new)


def cell(table: str, row: int, column: str, value: object) -> Callable[[Any], None]:
    """Set one cell; `row` counts as in the file, whose header is row 1."""

    def apply(draft: Any) -> None:
        frame = getattr(draft, table)
        frame[column] = frame[column].astype(object) if column in frame else None
        frame.loc[row - 2, column] = value

    return apply


def content(table: str, change: Callable[[Any], bytes], ending: str = "csv") -> Callable[[Any], None]:
    """Write other bytes for one file."""

    def apply(draft: Any) -> None:
        draft.files[f"{table}.{ending}"] = change(getattr(draft, table))
        setattr(draft, table, None)

    return apply


def alter(table: str, change: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Replace one table."""

    def apply(draft: Any) -> None:
        setattr(draft, table, change(getattr(draft, table)))

    return apply


def mapping(text: str) -> Callable[[Any], None]:
    def apply(draft: Any) -> None:
        draft.mapping = text

    return apply


def index_of(*rows: tuple[str, object]) -> Callable[[Any], None]:
    def apply(draft: Any) -> None:
        draft.index = pd.DataFrame(rows, columns=["date", "level"])

    return apply


def scaled(factor: float) -> Callable[[Any], None]:
    return alter("members", lambda frame: frame.assign(weight=frame["weight"] * factor))


@dataclass(frozen=True)
class Bad:
    """One bad dataset, and where the finding must point."""

    name: str
    spoil: Callable[[Any], None]
    rule: str
    file: str = "members.csv"
    row: int | None = None
    column: str | None = None
    value: str | None = None
    says: str = ""


MEMBERS, RETURNS, INDEX = "members.csv", "returns.csv", "index_total_return.csv"
FIRST = "2018-10-31"


def first_bytes(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


# fmt: off
FILES = [
    Bad("members absent", content("members", csv, "txt"), "file-absent", "dataset", says="members.csv or members.parquet"),
    Bad("two members files", lambda d: d.files.update({"members.parquet": b"x"}), "file-ambiguous", "members.csv, members.parquet"),
    Bad("two returns files", lambda d: (d.files.update({"returns_b.csv": csv(d.returns), "returns_a.csv": csv(d.returns)}), setattr(d, "returns", None)), "file-ambiguous", "returns_a.csv, returns_b.csv"),
    Bad("empty file", content("members", lambda _: b""), "file-empty"),
    Bad("blank file", content("returns", lambda _: b"\n \n"), "file-empty", RETURNS),
    Bad("header only", content("members", lambda f: csv(f.head(0))), "no-rows"),
    Bad("header only returns", content("returns", lambda f: csv(f.head(0))), "no-rows", RETURNS),
    Bad("no rows in Parquet", content("members", lambda f: parquet(f.head(0)), "parquet"), "no-rows", "members.parquet"),
    Bad("UTF-16", content("members", lambda f: f.to_csv(index=False).encode("utf-16")), "encoding", row=1, says="UTF-16"),
    Bad("Latin-1", content("members", lambda f: f.assign(name=["Nestl\xe9", *f["name"][1:]]).to_csv(index=False).encode("latin-1")), "encoding", row=2, value="b'\\xe9'", says="UTF-8"),
    Bad("Parquet named CSV", content("members", parquet), "not-csv", row=1),
    Bad("CSV named Parquet", content("members", csv, "parquet"), "not-parquet", "members.parquet"),
    Bad("truncated Parquet", content("members", lambda f: first_bytes(parquet(f), 0.7), "parquet"), "parquet-truncated", "members.parquet"),
    Bad("damaged Parquet", content("returns", lambda f: b"PAR1" + b"\x07" * 400 + b"PAR1", "parquet"), "parquet-damaged", "returns.parquet"),
    Bad("semicolons", content("members", lambda f: f.to_csv(index=False, sep=";", decimal=",").encode()), "separator", row=1, value=";", says="commas"),
    Bad("tabs", content("returns", lambda f: f.to_csv(index=False, sep="\t").encode()), "separator", RETURNS, row=1),
    Bad("decimal commas without quotes", content("returns", lambda f: csv(f).replace(b".", b",")), "row-width", RETURNS, row=2, says="decimal commas?"),
    Bad("decimal commas in quotes", content("returns", lambda f: f.to_csv(index=False, decimal=",").encode()), "decimal-comma", RETURNS, row=2, column="total_return"),
    Bad("line ends of old", content("members", lambda f: csv(f).replace(b"\n", b"\r")), "header", row=1),
    Bad("quotation mark not closed", content("members", lambda f: csv(f).replace(b"Name 14", b'"Name 14', 1)), "row-width", row=3),
    Bad("Parquet text that is not UTF-8", content("members", lambda f: parquet_raw(f, b"T14", b"T\xff4"), "parquet"), "parquet-damaged", "members.parquet"),
    Bad("Parquet column name that is not UTF-8", content("members", lambda f: parquet_raw(f, b"sector", b"sec\xffor"), "parquet"), "parquet-damaged", "members.parquet"),
    Bad("a row cut short", content("members", lambda f: csv(f) + b"2019-02-28,7\n"), "row-width", row=42, says="2 values under 7 columns"),
]

COLUMNS = [
    Bad("weight absent", alter("members", lambda f: f.drop(columns="weight")), "column-missing", column="weight"),
    Bad("date renamed", alter("members", lambda f: f.rename(columns={"date": "Date"})), "column-missing", column="date", says="date = 'Date'"),
    Bad("return renamed", alter("returns", lambda f: f.rename(columns={"total_return": "totalreturn"})), "column-missing", RETURNS, column="total_return", says="'totalreturn'"),
    Bad("column twice", content("members", lambda f: csv(f).replace(b"ticker", b"weight", 1)), "column-duplicate", column="weight"),
    Bad("weights are flags", content("members", lambda f: parquet(f.assign(weight=True)), "parquet"), "column-type", "members.parquet", column="weight", value="bool"),
    Bad("dates are numbers", content("members", lambda f: parquet(f.assign(date=20181031)), "parquet"), "column-type", "members.parquet", column="date", value="int64"),
    Bad("ids are dates", content("members", lambda f: parquet(f.assign(asset_id=pd.Timestamp(FIRST))), "parquet"), "column-type", "members.parquet", column="asset_id"),
    Bad("sectors are numbers", content("members", lambda f: parquet(f.assign(sector=4510.5)), "parquet"), "column-type", "members.parquet", column="sector"),
    Bad("text in weights", cell("members", 4, "weight", "n.a."), "number", row=4, column="weight", value="n.a."),
    Bad("text in weights of Parquet", content("members", lambda f: parquet(f.assign(weight=["x", *f["weight"].astype(str)[1:]])), "parquet"), "number", "members.parquet", row=1, column="weight", value="x"),
    Bad("text in returns", cell("returns", 9, "total_return", "#DIV/0!"), "number", RETURNS, row=9, column="total_return", value="#DIV/0!"),
    Bad("text in volumes", cell("returns", 9, "volume", "many"), "number", RETURNS, row=9, column="volume", value="many"),
    Bad("money traded is a flag", content("returns", lambda f: parquet(f.assign(traded_value=True)), "parquet"), "column-type", "returns.parquet", column="traded_value", value="bool"),
    Bad("issuers are fractions", content("members", lambda f: parquet(f.assign(issuer=0.5)), "parquet"), "column-type", "members.parquet", column="issuer", value="double", says="whole number"),
    Bad("issuer twice", content("members", lambda f: csv(f.assign(issuer="A")).replace(b"ticker", b"issuer", 1)), "column-duplicate", column="issuer"),
    Bad("flags are fractions", content("returns", lambda f: parquet(f.assign(estimated=0.5)), "parquet"), "column-type", "returns.parquet", column="estimated", value="double"),
    Bad("weights all empty", content("members", lambda f: parquet(f.assign(weight=None)), "parquet"), "number-missing", "members.parquet", row=1, column="weight"),
    Bad("neither true nor false", cell("returns", 3, "estimated", "maybe"), "flag", RETURNS, row=3, column="estimated", value="maybe"),
]

DATES = [
    Bad("no such day", cell("members", 2, "date", "2019-02-30"), "date-impossible", row=2, column="date", value="2019-02-30"),
    Bad("year 3019", cell("members", 2, "date", "3019-02-28"), "date-range", row=2, column="date", value="3019-02-28"),
    Bad("year 3019 in Parquet", content("members", lambda f: parquet(f.assign(date=[np.datetime64("3019-02-28", "us"), *f["date"].astype("datetime64[us]")[1:]])), "parquet"), "date-range", "members.parquet", row=1, column="date", value="3019-02-28"),
    Bad("US dates", alter("returns", lambda f: f.assign(date=pd.to_datetime(f["date"]).dt.strftime("%m/%d/%Y"))), "date-format", RETURNS, row=2, column="date", value="11/01/2018", says="ISO"),
    Bad("dates as digits", alter("returns", lambda f: f.assign(date=f["date"].str.replace("-", ""))), "date-text", RETURNS, row=2, column="date", value="20181101"),
    Bad("date of words", cell("members", 5, "date", "yesterday"), "date-text", row=5, column="date", value="yesterday"),
    Bad("date blank", cell("returns", 5, "date", ""), "date-missing", RETURNS, row=5, column="date"),
    Bad("time of day", cell("returns", 5, "date", "2018-11-01 16:00:00"), "date-time", RETURNS, row=5, column="date"),
    Bad("time of day in Parquet", content("returns", lambda f: parquet(f.assign(date=pd.to_datetime(f["date"]) + pd.Timedelta(hours=16))), "parquet"), "date-time", "returns.parquet", row=1, column="date"),
    Bad("Christmas", cell("returns", 300, "date", "2018-12-25"), "date-session", RETURNS, row=300, column="date", value="2018-12-25", says="2018-12-24 and 2018-12-26"),
    Bad("snapshot on a Sunday", alter("members", lambda f: f.assign(date=f["date"].replace("2019-01-31", "2019-02-03"))), "date-session", row=26, column="date", value="2019-02-03", says="2019-02-01 and 2019-02-04"),
    Bad("known before its date", cell("returns", 7, "known", "2018-10-30"), "known-before-date", RETURNS, row=7, column="known", value="2018-10-30"),
    Bad("weights known before their date", cell("members", 3, "known", "2018-10-30"), "known-before-date", row=3, column="known"),
    Bad("unknown exchange", mapping('calendar = "XNYSE"'), "calendar-unknown", "dataset.toml", column="calendar", value="XNYSE", says="'XNYS'"),
]

IDS = [
    Bad("id blank", cell("members", 3, "asset_id", ""), "id-missing", row=3, column="asset_id"),
    Bad("id NaN in Parquet", content("members", lambda f: parquet(f.assign(asset_id=[np.nan, *f["asset_id"][1:]])), "parquet"), "id-missing", "members.parquet", row=1, column="asset_id"),
    Bad("id with a point", content("returns", lambda f: csv(f.assign(asset_id=f["asset_id"].astype(float)))), "id-format", RETURNS, row=2, column="asset_id", value="7.0"),
    Bad("id a fraction", content("members", lambda f: parquet(f.assign(asset_id=f["asset_id"] + 0.5)), "parquet"), "id-format", "members.parquet", row=1, column="asset_id", value="7.5"),
    Bad("id with a control character", cell("members", 3, "asset_id", "7\x1f0"), "id-format", row=3, column="asset_id", value="'7\\x1f0'"),
    Bad("other ids in returns", alter("returns", lambda f: f.assign(asset_id="US" + f["asset_id"].astype(str))), "id-mismatch", RETURNS, row=2, column="asset_id", value="US14"),
    Bad("row twice", alter("members", lambda f: pd.concat((f, f.iloc[[10]]))), "row-duplicate", row=42, column="asset_id", value="21"),
    Bad("row twice with another value", alter("returns", lambda f: pd.concat((f, f.iloc[[10]].assign(total_return=0.5)))), "row-duplicate", RETURNS, row=642, column="asset_id"),
    Bad("snapshot twice", alter("members", lambda f: pd.concat((f, f[f["date"] == "2018-12-31"]))), "snapshot-duplicate", row=42, column="date", value="2018-12-31"),
]

VALUES = [
    Bad("percent weights", scaled(97.0), "weight-percent", row=2, column="weight", value="97", says="percent"),
    Bad("weights to 0.97", scaled(0.97), "weight-sum", row=2, column="weight", value="0.97", says="2018-10-31"),
    Bad("member left out", alter("members", lambda f: f.drop(index=17)), "weight-sum", row=18, column="weight", says="2018-12-31"),
    Bad("first weights all zero", alter("members", lambda f: f.assign(weight=f["weight"].where(f["date"] != FIRST, 0.0))), "weight-sum", row=2, column="weight", value="0"),
    Bad("weight negative", cell("members", 8, "weight", -0.01), "weight-negative", row=8, column="weight", value="-0.01"),
    Bad("weight NaN", cell("members", 8, "weight", "NaN"), "number-missing", row=8, column="weight"),
    Bad("weight infinite", cell("members", 8, "weight", "inf"), "number-infinite", row=8, column="weight", value="inf"),
    Bad("return NaN", cell("returns", 8, "total_return", None), "number-missing", RETURNS, row=8, column="total_return"),
    Bad("return infinite", cell("returns", 8, "total_return", "-inf"), "number-infinite", RETURNS, row=8, column="total_return", value="-inf"),
    Bad("return -100%", cell("returns", 8, "total_return", -1.0), "return-total-loss", RETURNS, row=8, column="total_return", value="-1.0"),
    Bad("return below -100%", cell("returns", 8, "total_return", -1.5), "return-total-loss", RETURNS, row=8, column="total_return", value="-1.5"),
    Bad("return +1100%", cell("returns", 8, "total_return", 11.0), "return-huge", RETURNS, row=8, column="total_return", value="11.0"),
    Bad("returns in percent", alter("returns", lambda f: f.assign(total_return=f["total_return"] * 100)), "return-percent", RETURNS, column="total_return", says="percent"),
    Bad("forward returns in percent", alter("members", lambda f: f.assign(forward_return=f["forward_return"] * 100)), "return-percent", column="forward_return"),
    Bad("forward return -100%", cell("members", 6, "forward_return", -1.0), "return-total-loss", row=6, column="forward_return", value="-1.0"),
    Bad("price zero", cell("members", 6, "price", 0.0), "price-not-positive", row=6, column="price", value="0.0"),
    Bad("price negative", cell("returns", 6, "price", -3.0), "price-not-positive", RETURNS, row=6, column="price", value="-3.0"),
    Bad("split zero", cell("returns", 6, "split", 0.0), "split-not-positive", RETURNS, row=6, column="split", value="0.0", says="1 or nothing"),
    Bad("volume negative", cell("returns", 6, "volume", -100.0), "volume-negative", RETURNS, row=6, column="volume", value="-100.0", says="leave it empty"),
    Bad("money traded negative", cell("returns", 6, "traded_value", -1.0), "volume-negative", RETURNS, row=6, column="traded_value", value="-1.0"),
    Bad("money traded infinite", cell("returns", 6, "traded_value", "inf"), "number-infinite", RETURNS, row=6, column="traded_value", value="inf"),
    Bad("index level zero", index_of((FIRST, 2700.0), ("2018-11-30", 0.0)), "level-not-positive", INDEX, row=3, column="level", value="0.0"),
    Bad("index level blank", index_of((FIRST, 2700.0), ("2018-11-30", None)), "number-missing", INDEX, row=3, column="level"),
    Bad("index date twice", index_of((FIRST, 2700.0), (FIRST, 2701.0)), "row-duplicate", INDEX, row=3, column="date", value=FIRST),
    Bad("no returns of any kind", lambda d: (setattr(d, "returns", None), setattr(d, "members", d.members.drop(columns="forward_return"))), "returns-absent"),
    Bad("one snapshot without daily returns", lambda d: (setattr(d, "returns", None), setattr(d, "members", d.members[d.members["date"] == FIRST])), "snapshot-single", column="date", value=FIRST),
    Bad("returns end before the weights begin", alter("returns", lambda f: f.assign(date="2018-10-30")), "returns-too-early", RETURNS, column="date", value="2018-10-30"),
    Bad("weekly snapshots without daily returns", lambda d: (setattr(d, "returns", None), setattr(d, "members", d.members.assign(date=d.members["date"].replace("2018-11-30", "2018-12-07")))), "no-panel"),
]

MAPPINGS = [
    Bad("key misspelt", mapping('calender = "XNYS"'), "mapping-key", "dataset.toml", column="calender", says="write calendar"),
    Bad("table misspelt", mapping('[member]\nfile = "members.csv"'), "mapping-key", "dataset.toml", column="member", says="write members"),
    Bad("column misspelt", mapping('[members.columns]\nwieght = "w"'), "mapping-key", "dataset.toml", column="members.columns.wieght", says="write members.columns.weight"),
    Bad("not TOML", mapping("calendar = XNYS"), "mapping-toml", "dataset.toml"),
    Bad("number for text", mapping("source = 3"), "mapping-type", "dataset.toml", column="source", value="3"),
    Bad("text for a list", mapping('sectors = "Energy"'), "mapping-type", "dataset.toml", column="sectors"),
    Bad("text for a table", mapping('members = "members.csv"'), "mapping-type", "dataset.toml", column="members"),
    Bad("file of the mapping absent", mapping('[returns]\nfile = "daily.csv"'), "file-absent", "daily.csv"),
    Bad("declared group absent", mapping("[groups.region]"), "column-missing", MEMBERS, column="region", says="[groups.region] column"),
    Bad("declared column of a group absent", mapping('[groups.country]\ncolumn = "tickr"'), "column-missing", MEMBERS, column="tickr", says="[groups.country] column = 'ticker'"),
    Bad("group named like a column", mapping('[groups.weight]\ncolumn = "sector"'), "mapping-key", "dataset.toml", column="groups.weight"),
    Bad("group named sector", mapping('[groups.sector]\ncolumn = "sector"'), "mapping-key", "dataset.toml", column="groups.sector"),
    Bad("group with capitals", mapping('[groups."Credit rating"]\ncolumn = "sector"'), "mapping-key", "dataset.toml", says="small letters"),
    Bad("key of a group misspelt", mapping('[groups.country]\ncolum = "sector"'), "mapping-key", "dataset.toml", column="groups.country.colum", says="write groups.country.column"),
    Bad("labels of a group are text", mapping('[groups.region]\ncolumn = "sector"\nlabels = "Energy"'), "mapping-type", "dataset.toml", column="groups.region.labels"),
    Bad("group is text", mapping('groups.region = "sector"'), "mapping-type", "dataset.toml", column="groups.region"),
    Bad("column of the mapping absent", mapping('[members.columns]\nweight = "w"'), "column-missing", MEMBERS, column="w"),
]
# fmt: on

ALL = [*FILES, *COLUMNS, *DATES, *IDS, *VALUES, *MAPPINGS]
