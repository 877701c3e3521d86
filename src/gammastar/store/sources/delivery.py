"""What every source gives: the tables of the dataset layout, ready for the checks that all data pass."""

from __future__ import annotations

__all__ = ["Delivery", "Source", "TotalLoss", "ingest_source"]

import json
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow.parquet

from gammastar.errors import DataError
from gammastar.store.intake import ingest

if TYPE_CHECKING:
    from gammastar.errors import Finding
    from gammastar.store.intake import IngestReport

TotalLoss = -0.9999
"""What a total return of -100% is stored as: the layout needs returns above -100%, for wealth is accounted in logarithms."""


@dataclass(frozen=True, eq=False)
class Delivery:
    """What a source read.

    Args:
        title: what the data is, in words.
        members, returns, index: Arrow tables with the columns of docs/dataset.md; None where the source has none.
        calendar: code of the exchange whose sessions count.
        remarks: warnings about the vendor's rows, with their places in the vendor's files.
        groups: labels of each further group attribute of members, in the order to show them; empty: by alphabet.
        actions: corporate actions as an Arrow table, kept beside the dataset for people to read; None where there are none.
    """

    title: str
    members: Any
    returns: Any = None
    index: Any = None
    calendar: str = "XNYS"
    remarks: tuple[Finding, ...] = ()
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    actions: Any = None

    def write(self, folder: Path) -> None:
        """Write the tables as a dataset of docs/dataset.md; files of an earlier one there are replaced."""
        folder.mkdir(parents=True, exist_ok=True)
        tables = {"members": self.members, "returns": self.returns, "index_total_return": self.index, "actions": self.actions}
        for name, table in tables.items():
            (folder / f"{name}.parquet").unlink(missing_ok=True)
            if table is not None:
                pyarrow.parquet.write_table(table, folder / f"{name}.parquet", compression="zstd", compression_level=1)
        text = f"source = {json.dumps(self.title, ensure_ascii=False)}\ncalendar = {json.dumps(self.calendar)}\n"
        for name, labels in self.groups.items():
            text += f"\n[groups.{name}]\nlabels = {json.dumps(list(labels), ensure_ascii=False)}\n"
        (folder / "dataset.toml").write_text(text, encoding="utf-8")


class Source(Protocol):
    """A vendor's format: a frozen dataclass whose fields are its settings."""

    def read(self, data: Any) -> Delivery:
        """Return the tables of the dataset layout.

        Args:
            data: a file or folder; for sources in memory, their tables.

        Raises:
            DataError: with each finding and its place in the vendor's files.
        """
        ...


def ingest_source(source: Source, data: Any, into: Path | str, *, dataset: Path | str | None = None) -> IngestReport:
    """Read a vendor's data and store it. All checks of `ingest` apply to what the source gives.

    Args:
        source: the format.
        data: what it reads: a file, a folder, or tables in memory.
        into: folder of the store.
        dataset: folder in which to keep the tables of the layout, to look at; by default they are not kept.

    Returns:
        The report of the ingest, the source's remarks first among its findings.

    Raises:
        DataError: the vendor's files or what they say cannot be used; nothing is stored.
    """
    delivery = source.read(Path(data) if isinstance(data, str) else data)
    remarks = delivery.remarks
    with tempfile.TemporaryDirectory(prefix="gammastar-source-") as scratch:
        folder = Path(scratch) / "dataset" if dataset is None else Path(dataset)
        delivery.write(folder)
        del delivery  # the ingest needs the memory
        try:
            report = ingest(folder, into)
        except DataError as error:
            where = f"the tables made from {_called(data)}"
            what = f"they cannot be stored: {len(error.findings)} finding{'s' if len(error.findings) != 1 else ''}"
            advice = "keep the tables with --dataset FOLDER to see the rows that are named; nothing was written"
            raise DataError(where, what, findings=remarks + error.findings, advice=advice) from error
    return replace(report, findings=remarks + report.findings)


def _called(data: Any) -> str:
    return str(data) if isinstance(data, str | Path) else f"a {type(data).__name__} in memory"
