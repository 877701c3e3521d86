"""What the verbs open: a panel, the moment of a date, the assets a mandate names."""

from __future__ import annotations

__all__ = ["moment_on", "open_panel", "parse_date", "refuse_unknown_assets", "session_on"]

from typing import TYPE_CHECKING

from gammastar.errors import MandateError, StaleDataError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from gammastar.mandate import Mandate
    from gammastar.market.moment import Moment
    from gammastar.market.panel import Panel


def open_panel(data: Path, frequency: str | None, *, known: str | None = None) -> Panel:
    """Return a panel of a store: the frequency asked for, or the store's default; as known at some date, or all that is known."""
    from gammastar.store import open_store

    return open_store(data).panel(frequency, known=known)


def moment_on(panel: Panel, on: str) -> Moment:
    """Return the moment at the close of the date `on`, which must be a session of the panel."""
    return panel.moment(session_on(panel, on))


def session_on(panel: Panel, on: str) -> int:
    """Return the position of the date `on`, which must be a session of the panel."""
    day = parse_date("--on", on)
    sessions, calendar = panel.sessions, panel.calendar
    if day < sessions[0] or day > sessions[-1]:
        raise StaleDataError(f"--on {on}", "the data does not reach this date", allowed=f"{sessions[0]} to {sessions[-1]}",
                             advice="choose a date inside, or ingest newer data")  # fmt: skip
    before = calendar.last_on_or_before(day)
    if sessions[before] != day:
        raise UsageError(f"--on {on}", f"this is not a session of {calendar.name}", allowed=f"the nearest, {sessions[before]} and {sessions[before + 1]}",
                         advice="choose one of them")  # fmt: skip
    return before


def parse_date(option: str, text: str) -> np.datetime64:
    """Return a date; words such as "today" and parts of dates are none."""
    import datetime as dt

    import numpy as np

    try:
        return np.datetime64(dt.date.fromisoformat(text), "D")
    except ValueError as error:
        raise UsageError(
            option, "this is not a date", got=text, allowed="YYYY-MM-DD", advice="write for instance 2019-11-29"
        ) from error


def refuse_unknown_assets(mandate: Mandate, moment: Moment, path: Path) -> None:
    """Refuse a mandate that names an asset or a group that the data does not know: a typing error there would leave a rule without effect."""
    from gammastar.mandate import ActiveWeight, AssetList, GroupActive, GroupWeight

    for rule in mandate.rules:
        assets = [item.asset for item in rule.assets] if isinstance(rule, AssetList) else [asset for asset, _ in rule.assets] if isinstance(rule, ActiveWeight) else []
        unknown = [asset for asset in assets if asset not in moment.assets.index]
        if unknown:
            raise MandateError(f"{path}, rules.{rule.name}", "there is no such asset in the data", got=", ".join(unknown), allowed="permanent ids, as in the store",
                               advice="mend the id, or remove it from the rule")  # fmt: skip
        if isinstance(rule, (ActiveWeight, GroupActive, GroupWeight)) and rule.attribute in moment.attributes:
            labels = rule.bounds if isinstance(rule, GroupWeight) else rule.limits
            there = moment.group(rule.attribute).labels
            unknown = [label for label, *_ in labels if label not in there]
            if unknown:
                raise MandateError(f"{path}, rules.{rule.name}", f"there is no such {rule.attribute} in the data", got=", ".join(unknown),
                                   allowed=", ".join(there[:20]) + (" ..." if len(there) > 20 else ""), advice="mend the label, or remove it")  # fmt: skip
