"""Pages to take along: everything is inside, and what people typed is never interpreted."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from mnist_dash.core.export.markup import visible
from mnist_dash.errors import InvalidInput
from mnist_dash.reports.page import page
from mnist_dash.reports.parts import chart, group, paragraph, section, side_by_side
from mnist_dash.reports.run_report import comparison_html, run_html
from mnist_dash.reports.study_report import study_html
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store, update
from tests.search_rows import fill
from tests.source_tree import ROOT

NAME = '</script><script>alert(1)</script> <img src=x onerror="alert(2)"> **b** \x1b[31m'
NAMES = (
    NAME,
    """'><svg onload='alert(3)'>&lt;&amp;" \' </title></style></p>""",
    "{{ 7 * 7 }} {% raw %} {# gone #} {{ undefined }}",
    "\N{SNOWMAN} \U0001f600 \N{FAMILY}\N{ZERO WIDTH JOINER}\N{GIRL}",
    "\N{RIGHT-TO-LEFT OVERRIDE}evil\N{POP DIRECTIONAL FORMATTING} \u05e9\u05dc\u05d5\u05dd \N{RIGHT-TO-LEFT MARK}\ufeff",
    "x" * 300,
)
"""What people may call a run: HTML, quotes, what Jinja2 would read, emoji, right to left, length."""
PLOTLY_BYTES = 4_900_000


class _Page(HTMLParser):
    """What a browser would make of a page: its elements, addresses, texts and charts."""

    def __init__(self, content: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.opened: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.charts: list[dict[str, object]] = []
        self._inside = ""
        self.feed(content.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append((tag, dict(attrs)))
        self._inside = tag if tag != "script" else str(dict(attrs).get("type", "script"))

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag in ("script", "style") else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside == "application/json":
            self.charts.append(json.loads(data))
        elif self._inside not in ("script", "style"):
            self.texts.append(data)

    def addresses(self) -> list[str]:
        """Everything that an element could fetch."""
        names = ("src", "href", "srcset", "data", "action", "poster")
        return [
            str(attributes[name])
            for _, attributes in self.opened
            for name in names
            if name in attributes
        ]


def check(page: _Page) -> None:
    """A page fetches nothing, runs nothing but its own three scripts, and has no element with a handler."""
    assert all(address.startswith("data:") for address in page.addresses())
    assert sum(tag == "script" and "type" not in attributes for tag, attributes in page.opened) == 2
    assert not any(name.startswith("on") for _, attributes in page.opened for name in attributes)
    policy = next(
        attributes["content"] for tag, attributes in page.opened if attributes.get("http-equiv")
    )
    assert str(policy).startswith("default-src 'none'")


def name(store: Store, run: Run, typed: str = NAME) -> None:
    """Give a run a name and notes that mean harm."""
    with store.writing() as connection:
        update(connection, run.id, name=typed, notes=f"{typed}\nsecond line")


def test_run(store: Store, train: Callable[..., Run]) -> None:
    """Figures, curves, the worst errors as pictures; the name is text; the size is Plotly's and a little more."""
    run = train()
    name(store, run)
    content = run_html(store, run.id)
    written = _Page(content)
    check(written)
    assert visible(NAME) in written.texts
    assert "98.00 %" in written.texts
    assert len(written.charts) == 4
    assert sum(tag == "img" for tag, _ in written.opened) == 48
    assert PLOTLY_BYTES * 0.9 < len(content) < PLOTLY_BYTES + 600_000


def test_names_are_text(store: Store, train: Callable[..., Run]) -> None:
    """Whatever a run is called stands on its pages as it was typed, in title, heading, notes and table, and adds no element."""
    run, other = train(), train()
    name(store, run, "plain")
    plain = [
        _Page(content).opened
        for content in (run_html(store, run.id), comparison_html(store, [run.id, other.id]))
    ]
    for typed in NAMES:
        name(store, run, typed)
        alone, compared = (
            _Page(run_html(store, run.id)),
            _Page(comparison_html(store, [run.id, other.id])),
        )
        check(alone)
        assert alone.texts.count(visible(typed)) == 2
        assert f"{visible(typed)}\nsecond line" in alone.texts
        assert visible(typed) in compared.texts
        assert [[tag for tag, _ in one.opened] for one in (alone, compared)] == [
            [tag for tag, _ in opened] for opened in plain
        ]


def test_parts_with_nothing_are_left_out() -> None:
    """A text that is empty makes no paragraph, and a section without parts no heading."""
    assert section("Notes", paragraph(""), group(None), side_by_side()) is None
    written = _Page(
        page(
            "title",
            section("Notes", paragraph("")),
            section("Shown", paragraph("a\n b", look="quiet"), folded=True),
        )
    )
    assert [tag for tag, _ in written.opened if tag in ("h2", "section", "details")] == ["details"]
    assert "a\n b" in written.texts


def test_chart_cannot_end_its_script() -> None:
    """Text in a figure stays in it, an end of a script included."""

    class Drawn:
        def to_json(self) -> str:
            return json.dumps({"data": [{"name": f"{NAME}\u2028"}]}, ensure_ascii=False)

    written = _Page(page("title", chart(Drawn(), alt=NAME)))
    check(written)
    assert written.charts == [{"data": [{"name": f"{NAME}\u2028"}]}]
    assert any(attributes.get("aria-label") == visible(NAME) for _, attributes in written.opened)


def test_templates_are_opened_with_the_first_page() -> None:
    """Importing the reports or a chart of the dashboard does not import Jinja2."""
    code = (
        "import sys, mnist_dash.reports.run_report, mnist_dash.reports.study_report, mnist_dash.cli, mnist_dash.ui.elements.live_plot;"
        "sys.exit('jinja2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_run_that_left_little(store: Store, train: Callable[..., Run]) -> None:
    """A run without probabilities and epochs is a page too, which says what is missing."""
    written = _Page(run_html(store, train(state=None, epochs=0).id))
    check(written)
    assert any("has no stored test predictions" in text for text in written.texts)
    assert written.charts == []


def test_comparison(store: Store, train: Callable[..., Run]) -> None:
    """Both runs, what differs and nothing else; fewer than two are refused."""
    one, other = train(), train(train().config.model_copy(update={"seed": 5}))
    name(store, one)
    written = _Page(comparison_html(store, [one.id, other.id, one.id]))
    check(written)
    assert visible(NAME) in written.texts
    assert len(written.charts) == 4
    cells = [text for text in written.texts if text in ("seed", "batch_size", "0", "5")]
    assert cells[-3:] == ["seed", "0", "5"]
    assert "batch_size" not in cells
    assert not any(
        "<script" in str(trace.get("name"))
        for chart in written.charts
        for trace in chart["data"]  # type: ignore[attr-defined]
    )
    with pytest.raises(InvalidInput, match="1 run cannot be compared"):
        comparison_html(store, [one.id, one.id])


def test_study(store: Store) -> None:
    """History, settings and trials of a study."""
    written = _Page(study_html(store, fill(store, 300)))
    check(written)
    assert len(written.charts) >= 5
    assert any("The best 200 of 300" in text for text in written.texts)


def test_colours_are_the_theme_s() -> None:
    """Charts of a page that was taken along have the dashboard's colours."""
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    script = (ROOT / "mnist_dash" / "reports" / "page.js").read_text()
    for scheme in ("light", "dark"):
        own = script.split(f"  {scheme}: {{")[1].split("\n  },")[0]
        for kind in ("Categorical", "Sequential", "Diverging"):
            assert f"{kind.lower()}: {json.dumps(theme[scheme][f'chart{kind}Colors'])}" in own
