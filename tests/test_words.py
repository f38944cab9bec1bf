"""The field's words throughout: in the sources' texts, the glossary, exported pages and every help text of the command line."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from mnist_dash.formatting import ago, exact, moment, number, percent, percent_range, points
from mnist_dash.glossary import SOURCE, help_for, terms
from tests.source_tree import ROOT, Source, sources
from tests.vocabulary import faults

READ_BY_PEOPLE = ("ui", "figures", "reports", "glossary", "formatting", "text")
SENTENCE = re.compile(r"^(?:[A-Z{`]|\(|:material).*[.!?}]$", re.DOTALL)


def literals(source: Source) -> Iterator[tuple[int, str]]:
    """Give the texts of a source that may be read by people, without docstrings, each with its line; what is filled in is ``{}``."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    documentation |= {
        id(node.value) for node in ast.walk(source.tree) if isinstance(node, ast.Expr)
    }
    inner = {
        id(part)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(source.tree):
        if id(node) in documentation | inner:
            continue
        if isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "{}"
                    for part in node.values
                ),
            )
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and " " in node.value.strip()
        ):
            yield node.lineno, node.value


def test_no_text_in_the_sources_has_outdated_words() -> None:
    """Texts of pages, charts, reports and cards: none has a word that the field does not use."""
    read = [
        source
        for source in sources()
        if source.layer in READ_BY_PEOPLE or source.path.name in {"model_bundle.py", "notebook.py"}
    ]
    assert len(read) > 100
    found = [
        f"{source.path.relative_to(ROOT)}:{line} {fault}"
        for source in read
        for line, text in literals(source)
        for fault in faults(text, of_study="pages/study/" in source.path.as_posix())
    ]
    assert found == []


def test_plurals_are_made_by_one_function() -> None:
    """No page writes a number before a plural of its own: ``{n} runs`` is wrong where n is one."""
    nouns = r"runs|epochs|trials|studies|errors|workers|seeds|settings|layers|threads|groups|days|files|drawings|problems|changes"
    pattern = re.compile(rf"\{{\}} (?:more |other |finished |queued )?(?:{nouns})\b")
    found = [
        f"{source.path.relative_to(ROOT)}:{line} {text!r}"
        for source in sources()
        if source.layer in {"ui", "reports"}
        for line, text in literals(source)
        if pattern.search(text)
    ]
    assert found == []


def test_glossary_is_the_same_in_docs_and_package() -> None:
    """What the documentation prints is what the pages quote, and the package carries it."""
    assert (ROOT / "docs" / "glossary.md").read_bytes() == SOURCE.read_bytes()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert SOURCE.name in project["tool"]["setuptools"]["package-data"]["mnist_dash"]


def test_each_term_stands_once_in_a_plain_sentence() -> None:
    """Every entry is one whole sentence without an outdated word, short enough for a tooltip."""
    assert len(terms()) > 140
    for term, sentence in terms().items():
        assert SENTENCE.match(sentence), term
        assert len(sentence) <= 200, term
        assert faults(f"{term}: {sentence}") == [], term
    assert len(re.findall(r"^\*\*", SOURCE.read_text(), re.MULTILINE)) == len(set(terms().values()))


def test_every_help_text_comes_from_the_glossary_or_is_a_sentence() -> None:
    """A term that the glossary lacks fails here and not on a page; a help text of its own begins with a capital and ends with a stop."""
    unknown, unplain = [], []
    for source in sources():
        if source.layer != "ui":
            continue
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.Call):
                continue
            where = f"{source.path.relative_to(ROOT)}:{node.lineno}"
            if isinstance(node.func, ast.Name) and node.func.id == "help_for":
                term = node.args[0]
                if not isinstance(term, ast.Constant) or str(term.value).lower() not in terms():
                    unknown.append(f"{where} {ast.unparse(node)}")
            for keyword in node.keywords:
                if keyword.arg in {"help", "hint"}:
                    unplain += [
                        f"{where} {text!r}"
                        for text in _written(keyword.value)
                        if text and not SENTENCE.match(text)
                    ]
    assert unknown == []
    assert unplain == []


def _written(node: ast.expr) -> Iterator[str]:
    """Give the texts that an expression may have, as far as they are written in it."""
    if isinstance(node, ast.IfExp):
        yield from (*_written(node.body), *_written(node.orelse))
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _written(value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
        )
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def test_unknown_term_is_refused() -> None:
    """A word that the glossary does not have has no help text; case does not matter, a second name has the first one's sentence."""
    with pytest.raises(KeyError):
        help_for("riddle")
    assert help_for("Learning Rate") == help_for("learning rate")
    assert help_for("l2", "More.") == f"{help_for('L2 penalty')} More."


def test_numbers_have_three_digits_on_pages_and_all_elsewhere() -> None:
    """Percentages, intervals, differences, numbers and times have one way to be written each."""
    assert percent(0.97777) == "97.78 %"
    assert percent(None) == number(None) == "–"
    assert percent_range(0.9712, 0.98) == "97.12 to 98.00 %"
    assert points(-0.0031) == "-0.31 points"
    assert [number(value) for value in (0.00042976810, 2.3016, 1e-7, 12345.6, 60_000, 0.0)] == [
        *("0.00043", "2.3", "1e-7", "12,346", "60,000", "0"),
    ]
    assert [exact(value) for value in (0.00042976810, 2.3016, 60_000)] == [
        "0.0004297681",
        "2.3016",
        "60,000",
    ]
    assert moment(0.0) == "1970-01-01 00:00 UTC"
    now = datetime(2026, 1, 3, tzinfo=UTC)
    assert ago(datetime(2026, 1, 2, tzinfo=UTC), now=now) == "1 day ago"
