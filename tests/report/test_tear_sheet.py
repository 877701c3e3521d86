"""The tear sheet: whole, self-contained, escaped, the same bytes for the same track."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from plotly.offline import get_plotlyjs

from gammastar.market.assets import Assets
from gammastar.report import summarise, tear_sheet
from gammastar.report.catalogue import definition, present
from gammastar.report.figures import pictures
from gammastar.report.html_tables import tables
from gammastar.report.words import headlines, opening

if TYPE_CHECKING:
    from collections.abc import Callable

    from gammastar.market.track import Track

VOID = {"meta", "br", "img", "link", "hr", "input"}


class Page(HTMLParser):
    """Reads a page: checks that elements nest, and gathers ids, addresses, scripts and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.scripts: dict[str, str] = {}
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.addresses += [str(found[name]) for name in ("src", "href", "action", "data") if name in found]
        self.handlers += [name for name in found if name.startswith("on")]
        self.ids += [str(found["id"])] if "id" in found else []
        if tag == "script":
            self.script = str(found.get("id", "program"))
            self.scripts[self.script] = ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[self.script] += data
        elif "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def sheet(full_track: Track) -> str:
    return tear_sheet(full_track)


@pytest.fixture(scope="module")
def page(sheet: str) -> Page:
    return Page(sheet)


def test_the_page_nests_and_its_ids_are_unique(page: Page) -> None:
    assert len(set(page.ids)) == len(page.ids)


def test_the_page_asks_nothing_of_any_network(sheet: str, page: Page) -> None:
    assert page.addresses == []
    assert "default-src 'none'" in sheet
    assert not re.search(r"https?://|@import|url\(", sheet)


def test_plotly_is_enclosed_once_and_whole(page: Page) -> None:
    packed = base64.b64decode(page.scripts["plotly"])
    assert gzip.decompress(packed).decode() == get_plotlyjs()
    assert packed[4:8] == bytes(4)  # no time of writing


def test_the_page_is_small(sheet: str, page: Page) -> None:
    assert len(sheet) - len(page.scripts["plotly"]) < 700_000
    assert len(sheet) < 3_000_000


def test_the_same_track_gives_the_same_bytes(sheet: str, full_track: Track) -> None:
    assert tear_sheet(replace(full_track)) == sheet


def test_every_figure_has_its_data_and_its_place(page: Page, full_track: Track) -> None:
    shown = [picture.name for picture in pictures(full_track)]
    assert len(shown) == 14
    for name in shown:
        assert name in page.ids
        assert {"data", "layout"} <= json.loads(page.scripts[f"{name}-data"]).keys()


def test_twelve_headlines_stand_before_the_figures(
    sheet: str, page: Page, full_track: Track, bare_track: Track
) -> None:
    entries = headlines(summarise(full_track))
    assert len(entries) == len(headlines(summarise(bare_track))) == 12
    assert all(entry.label and entry.figure and entry.reading for entry in entries)
    assert sheet.count('<dl class="headline">') == 12
    assert sheet.rindex('<dl class="headline">') < sheet.index("<figure>")
    for entry in entries:
        assert entry.figure in page.text


def test_the_page_shows_every_statistic_it_has(page: Page, full_track: Track) -> None:
    statistics = summarise(full_track)
    for name in statistics.values:
        entry = definition(name)
        assert entry.label.strip() in page.text
        assert present(statistics[name], entry.unit, signed=entry.signed) in page.text
        assert " ".join(entry.formula.split()) in page.text


def test_the_opening_says_what_each_part_earned(full_track: Track, bare_track: Track) -> None:
    statistics = summarise(full_track)
    text = opening(full_track, statistics)
    for name in ("attribution.captured_volatility", "attribution.allocation", "attribution.cost"):
        assert f"{abs(1e4 * statistics.number(name)):.1f} bp a year" in text
    said = (
        "Volatility capture earned",
        "costs took",
        "against a forecast of",
        "standard error",
        "L-divergence +",
        "has imputed returns",
    )
    assert all(phrase in text for phrase in said)
    assert not any(
        phrase in opening(bare_track, summarise(bare_track))
        for phrase in ("Volatility", "costs took", "forecast", "imputed")
    )


def test_facts_and_conventions_are_in_the_footer(sheet: str, full_track: Track) -> None:
    footer = sheet[sheet.index("<footer>") : sheet.index("</footer>")]
    assert all(html.escape(name) in footer and html.escape(value) in footer for name, value in full_track.facts.items())
    assert "252 sessions or 12 months" in footer


def test_text_of_the_track_cannot_become_markup(full_track: Track) -> None:
    bad = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'
    held = full_track.holdings
    track = replace(
        full_track,
        name=bad,
        benchmark_name=bad,
        facts={bad: bad},
        baselines={bad: full_track.benchmark},
        holdings=replace(held, assets=Assets(held.assets.ids, tuple(f"{bad}{k}" for k in range(len(held.assets)))), sector_labels=(bad,) * len(held.sector_labels)),
        compliance=replace(full_track.compliance, rule=(bad,) * len(full_track.compliance.rule), where=(bad,) * len(full_track.compliance.where)),
    )  # fmt: skip
    page = Page(tear_sheet(track))
    assert page.handlers == page.addresses == []
    assert "alert" not in page.scripts["program"]
    assert bad in page.text


def test_a_dollar_in_a_name_is_only_a_dollar(bare_track: Track) -> None:
    assert "Fund $name in US$" in Page(tear_sheet(replace(bare_track, name="Fund $name in US$"))).text


def test_two_series_or_one_session_give_a_whole_page(bare_track: Track, cut_track: Callable[[int], Track]) -> None:
    for track in (bare_track, cut_track(1), cut_track(2)):
        page = Page(tear_sheet(track))
        assert not re.search(r"\bNone\b|\bnan\b", page.text)
        assert "relative-return" in page.ids
        assert "Compliance by rule" not in page.text


def test_active_breaches_stand_out(full_track: Track) -> None:
    log = full_track.compliance
    broken = replace(full_track, compliance=replace(log, verdict=("active", *log.verdict[1:])))
    assert '<tr class="alarm">' in tables(summarise(broken))
    assert '<tr class="alarm">' not in tables(summarise(full_track))
    assert "Released targets broke a rule once" in opening(broken, summarise(broken))
