"""The documentation keeps up with the code: every field of a configuration, every setting, every command."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import mnist_dash
from mnist_dash.api.run import Run
from mnist_dash.api.study import Study
from mnist_dash.core import layers, optimizers, schedules
from mnist_dash.core.config import run_config
from mnist_dash.core.kinds.registry import alternatives
from mnist_dash.core.kinds.spec import Kind, Spec
from mnist_dash.runs.query.fields import RUN_FIELDS, short_names
from tests.cli.reference import BEGIN, is_command_line, reference
from tests.source_tree import ROOT, text_files

_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
PARTS = [
    part
    for module in (run_config, layers, optimizers, schedules)
    for part in vars(module).values()
    if isinstance(part, type)
    and issubclass(part, Spec)
    and not inspect.isabstract(part)
    and part not in (Spec, Kind)
]


def _read(name: str) -> str:
    return (ROOT / name).read_text()


def row(name: str, field: FieldInfo) -> str:
    """Write the first three cells of a field's row: its name, what it takes, its default."""
    return f"| `{name}` | {_takes(field)} | {_default(field)} |"


@pytest.mark.parametrize("part", dict.fromkeys(PARTS), ids=lambda part: part.__name__)
def test_every_field_is_documented(part: type[BaseModel]) -> None:
    """Each part of a configuration has its heading, and each field a row with its bounds and default as they are."""
    kind = part.model_fields["kind"].default if "kind" in part.model_fields else part.__name__
    sections = [
        text
        for text in re.split(r"^##+ ", _read("docs/configuration.md"), flags=re.MULTILINE)
        if f"`{kind}`" in text.split("\n")[0]
    ]
    rows = [row(name, field) for name, field in part.model_fields.items() if name != "kind"]
    assert any(all(wanted in section for wanted in rows) for section in sections), "\n".join(rows)


def test_every_setting_is_documented() -> None:
    """Each environment variable that is read stands in the README."""
    code = _read("mnist_dash/settings.py")
    names = set(re.findall(r"MNIST_DASH_\w+", code))
    assert names
    assert names - set(re.findall(r"MNIST_DASH_\w+", _read("README.md"))) == set()


def test_command_line_reference_is_that_of_the_commands() -> None:
    """docs/command-line.md explains every command, option and exit code as `--help` does; ``python -m tests.cli.reference`` rewrites it."""
    assert _read("docs/command-line.md").partition(BEGIN)[2].strip() == reference().strip()


def test_examples_of_commands_are_command_lines() -> None:
    """Every command line in a document parses: its command, its options and their values are there."""
    lines = [
        (path.name, line)
        for path in text_files()
        if path.suffix == ".md"
        for line in re.findall(r"python -m mnist_dash ([a-z][^`\n]*)", path.read_text())
    ]
    assert len(lines) > 60
    wrong = [(name, line) for name, line in lines if not is_command_line(line)]
    assert wrong == []


def test_every_field_of_a_run_is_documented() -> None:
    """docs/runs.md has a row for each, with its column, and every short name of a setting."""
    text = _read("docs/runs.md")
    rows = [
        f"`{field.name}`"
        for field in RUN_FIELDS.values()
        if not re.search(rf"^\| `{field.name}`.* \| {field.title} \|", text, re.MULTILINE)
    ]
    assert rows == []
    assert [name for name in short_names() if f"`{name}`" not in text] == []


def test_version_is_the_same_everywhere() -> None:
    """The citation and the newest entry of the changes name the package's version."""
    assert f"\nversion: {mnist_dash.__version__}\n" in _read("CITATION.cff")
    assert (
        re.findall(r"^## (\S+)", _read("CHANGELOG.md"), re.MULTILINE)[0] == mnist_dash.__version__
    )


def test_functions_of_python_are_documented() -> None:
    """docs/python.md names every public name of the package, and every method of a run and of a study."""
    text = _read("docs/python.md")
    assert [name for name in mnist_dash.__all__ if f"md.{name}" not in text] == []
    public = [
        f"{word}.{name}"
        for word, kind in (("run", Run), ("study", Study))
        for name in vars(kind)
        if not name.startswith("_")
    ]
    assert [name for name in public if name not in text] == []


def test_links_lead_somewhere() -> None:
    """Every relative link in a Markdown file names a file that is there."""
    broken = [
        f"{path.name}: {target}"
        for path in text_files()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
        if not (path.parent / target).exists()
    ]
    assert broken == []


def test_make_targets_are_real() -> None:
    """Each `make TARGET` that a document names is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", _read("Makefile"), re.MULTILINE))
    named = {
        target
        for path in text_files()
        if path.suffix == ".md"
        for target in re.findall(r"`make ([a-z]+)", path.read_text())
    }
    assert named
    assert named - targets == set()


def _takes(field: FieldInfo) -> str:
    kinds = [
        kind
        for kind in list(alternatives(field.annotation, field.metadata))
        if kind is not type(None)
    ]
    optional = (
        ", or none" if type(None) in list(alternatives(field.annotation, field.metadata)) else ""
    )
    if kinds and all(isinstance(kind, str) for kind in kinds):
        return ", ".join(f"`{kind}`" for kind in kinds) + optional
    word = {int: "whole number", float: "number", bool: "true or false"}.get(kinds[0], "see below")
    found = {
        name: value
        for item in _metadata(field)
        for name in _BOUNDS
        if (value := getattr(item, name, None)) is not None
    }
    if {"ge", "le"} == set(found):
        return f"{word} from {_number(found['ge'])} to {_number(found['le'])}{optional}"
    return (
        ", ".join([word, *[f"{_BOUNDS[name]} {_number(value)}" for name, value in found.items()]])
        + optional
    )


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return f"`{getattr(value, 'kind', '')}`"
    if isinstance(value, tuple):
        return "see below"
    return f"`{json.dumps(value) if not isinstance(value, str) else value}`"


def _metadata(field: FieldInfo) -> list[Any]:
    inner = [
        item
        for kind in (field.annotation, *get_args(field.annotation))
        for item in getattr(kind, "__metadata__", ())
    ]
    return [
        item
        for piece in (*field.metadata, *inner)
        for item in (piece.metadata if isinstance(piece, FieldInfo) else [piece])
    ]


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
