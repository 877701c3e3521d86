"""The page of a data check: one HTML file that needs no network, in the style of the tear sheet."""

from __future__ import annotations

__all__ = ["quality_page"]

from html import escape
from typing import TYPE_CHECKING, Final

from gammastar.market.quality import CHECKS, Severity
from gammastar.report.shell import figure_block, headline_block, page, section
from gammastar.report.words import Headline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gammastar.market.panel import Panel
    from gammastar.market.quality import IndexTracking, QualityFinding, SignedCorrection, Verdict

_CLOSE_UPS: Final = 8
_EACH: Final = 2
_ROWS: Final = 400
_WORDS: Final = {Severity.ERROR: "errors", Severity.WARNING: "warnings", Severity.NOTE: "notes"}
_CONVENTIONS: Final = (
    "Error: the data contradicts itself. Warning: look at it. Note: good to know. Stored data is never "
    "edited: a correction is a new row, signed by who answers for it. What a check cannot see is in the manual, under data quality."
)


def quality_page(verdict: Verdict, panel: Panel, tracking: IndexTracking | None) -> str:
    """Return the page of `verdict` as the text of one self-contained HTML file; the same data gives the same text. All text is escaped."""
    return page(
        title=f"Data check of {verdict.source}",
        kind="Data check",
        name=verdict.source,
        against=f"{panel.sessions[0]} to {panel.sessions[-1]}, {len(panel.assets):,} assets, {len(panel):,} sessions",
        opening=_opening(verdict),
        headlines="\n".join(headline_block(entry) for entry in _headlines(verdict, panel, tracking)),
        figures=_figures(verdict, panel, tracking),
        tables=_tables(verdict, panel),
        footer=f"<dl>\n<dt>Fingerprint</dt><dd>{escape(verdict.fingerprint)}</dd>\n</dl>\n<p>{escape(_CONVENTIONS)}</p>\n"
        "<p>Figures are drawn by plotly.js (MIT licence), which this page encloses.</p>",
    )


def _opening(verdict: Verdict) -> str:
    errors = verdict.of(Severity.ERROR)
    if not errors:
        return "No check found an error. Warnings are to be looked at; they do not say that the data is wrong."
    checks = ", ".join(dict.fromkeys(finding.check for finding in errors))
    return f"{len(errors):,} finding{'s say' if len(errors) > 1 else ' says'} that the data contradicts itself: {checks}. Override or quarantine what is wrong before results are trusted."


def _headlines(verdict: Verdict, panel: Panel, tracking: IndexTracking | None) -> Iterable[Headline]:
    for level, words in _WORDS.items():
        found = verdict.of(level)
        kinds = len({one.check for one in found})
        yield Headline(words, words.capitalize(), f"{len(found):,}", f"of {kinds} kind{'' if kinds == 1 else 's'}")
    if tracking is not None:
        yield Headline("tracking", "Tracking difference", f"{100.0 * tracking.error:.2f} % a year", f"{100.0 * tracking.mean:+.2f}% a year on average")
    else:
        yield Headline("imputed", "Weight without returns", f"{100.0 * float(panel.imputed_weight[1:].mean()):.1f} %", "on average")


def _figures(verdict: Verdict, panel: Panel, tracking: IndexTracking | None) -> str:
    from gammastar.report.quality_figures import figure_close_up, figure_findings, figure_observed, figure_tracking

    whole = [
        figure_block("findings", figure_findings(verdict.findings, panel), "A finding that lasts is counted where it begins."),
        figure_block("observed", figure_observed(panel), "The rest is filled by rule, for the accounts only."),
    ]
    if tracking is not None:
        caption = f"Standard deviation times sqrt(12): {100.0 * tracking.error:.2f}% a year; mean {100.0 * tracking.mean:+.2f}% a year."
        whole.append(figure_block("tracking", figure_tracking(tracking), caption))
    near = [figure_block(f"close-{k}", figure_close_up(one, panel), str(one)) for k, one in enumerate(_chosen(verdict, panel))]
    blocks = [("The whole", whole), ("From close", near)]
    return "\n".join(section(heading, *drawn) for heading, drawn in blocks if drawn)


def _chosen(verdict: Verdict, panel: Panel) -> list[QualityFinding]:
    """Return the findings to show from close: errors first, at most two of a kind."""
    shown: dict[str, list[QualityFinding]] = {}
    for finding in verdict.findings:
        drawn = finding.asset in panel.assets.index and finding.first is not None and finding.last is not None
        if drawn and finding.severity is not Severity.NOTE and finding.check != "member-without-returns":
            shown.setdefault(finding.check, []).append(finding)
    return [one for kind in shown.values() for one in kind[:_EACH]][:_CLOSE_UPS]


def _tables(verdict: Verdict, panel: Panel) -> str:
    counted = [
        f'<tr><th scope="row">{check}</th><td>{escape(CHECKS[check])}</td>' + "".join(f'<td class="number">{count:,}</td>' for count in counts.values()) + "</tr>"
        for check, counts in verdict.counts.items()
    ]
    blocks = [_table("Checks", "How often each found something.", ("Check", "Looks for", "Errors", "Warnings", "Notes"), counted)]
    if verdict.corrections:
        head = ("Number", "Kind", "Author", "Reason", "Known", "Values", "Standing")
        blocks.append(_table("Corrections", "Signed ones. A value stands until it is corrected again.", head, [_signed(one) for one in verdict.corrections]))
    told = [_row(finding, panel) for finding in verdict.findings[:_ROWS]]
    more = f" The first {_ROWS:,} of {len(verdict.findings):,}; all of them with --json." if len(verdict.findings) > _ROWS else ""
    blocks.append(_table("Findings", f"Errors first.{more}", ("Check", "Asset", "Dates", "What", "Do"), told))
    return f'<section class="block tables">\n{chr(10).join(blocks)}\n</section>'


def _row(finding: QualityFinding, panel: Panel) -> str:
    ticker = panel.assets.tickers[panel.assets.index[finding.asset]] if finding.asset in panel.assets.index else ""
    asset_name = "" if finding.asset is None else finding.asset if ticker in {"", finding.asset} else f"{finding.asset} ({ticker})"
    days = "" if finding.first is None else str(finding.first) if finding.last == finding.first else f"{finding.first} to {finding.last}"
    alarm = ' class="alarm"' if finding.severity is Severity.ERROR else ""
    cells = "".join(f"<td>{escape(text)}</td>" for text in (asset_name, days, finding.message, finding.action))
    return f'<tr{alarm}><th scope="row">{finding.check}</th>{cells}</tr>'


def _signed(one: SignedCorrection) -> str:
    cells = "".join(f"<td>{escape(text)}</td>" for text in (one.kind, one.author, one.reason, one.known))
    return f'<tr><th scope="row">{one.number}</th>{cells}<td class="number">{one.values:,}</td><td class="number">{one.standing:,}</td></tr>'


def _table(heading: str, note: str, head: tuple[str, ...], rows: list[str]) -> str:
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "\n".join(rows)
    return f"<h2>{heading}</h2>\n<table>\n<caption>{escape(note)}</caption>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
