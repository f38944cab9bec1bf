"""The project's sources as data: modules, what they import, and when."""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = "mnist_dash"


@dataclass(frozen=True)
class Import:
    """One imported name."""

    target: str
    """Dotted name; of `from a import b`, ``a.b`` where that is a module of ours, else ``a``."""
    at_once: bool
    """Whether importing the module imports it; false within functions and under TYPE_CHECKING."""
    for_types: bool
    """Whether it is imported for type checking alone."""


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: Path
    module: str
    tree: ast.Module
    n_lines: int

    @property
    def layer(self) -> str:
        """The part of the package it belongs to: the second name of its module, or its own for a file above the package."""
        parts = self.module.split(".")
        return parts[1] if parts[0] == PACKAGE and len(parts) > 1 else parts[0]

    @property
    def room(self) -> str:
        """The part of the layer it belongs to, as ``core.data``; the layer itself for what lies in no folder of it."""
        folder = self.module if self.path.name == "__init__.py" else self.module.rpartition(".")[0]
        parts = folder.split(".")
        return ".".join(parts[1:3]) if parts[0] == PACKAGE and len(parts) > 2 else self.layer


@cache
def sources() -> tuple[Source, ...]:
    """Parse the entry file and every module of the package."""
    return read_sources(ROOT)


def read_sources(root: Path) -> tuple[Source, ...]:
    """Parse the entry file and every module of the package that lie in a folder."""
    return tuple(
        _source(path, root)
        for path in [root / "streamlit_app.py", *sorted((root / PACKAGE).rglob("*.py"))]
    )


@cache
def sources_of_tests() -> tuple[Source, ...]:
    """Parse every test module."""
    return tuple(_source(path, ROOT) for path in sorted((ROOT / "tests").rglob("*.py")))


@cache
def imports(source: Source) -> tuple[Import, ...]:
    """List everything that a module imports, wherever in it."""
    return tuple(_imports(source.tree, _modules()))


def own(name: str) -> str | None:
    """Name the module of ours that a dotted name is or is in; None for others."""
    return _longest(name, _modules())


@cache
def _modules() -> frozenset[str]:
    return frozenset(source.module for source in sources())


def _longest(name: str, known: AbstractSet[str]) -> str | None:
    while name:
        if name in known:
            return name
        name = name.rpartition(".")[0]
    return None


def targets(source: Source, modules: Iterable[Source]) -> set[str]:
    """Name the other modules among some that a module imports when it runs, within functions included."""
    known = {other.module for other in modules}
    found = {
        _longest(name.target, known) for name in _imports(source.tree, known) if not name.for_types
    }
    return {name for name in found if name is not None} - {source.module}


def page_of(module: str) -> str | None:
    """Name the page whose folder a module lies in; None for what lies elsewhere."""
    pages = f"{PACKAGE}.ui.pages."
    return module.removeprefix(pages).split(".")[0] if module.startswith(pages) else None


def listed(folder: Path) -> Iterator[Path]:
    """Walk a folder's own entries, those that git ignores left out."""
    patterns = [
        line.strip("/")
        for line in (ROOT / ".gitignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    for path in sorted(folder.iterdir()):
        if path.name != ".git" and not any(
            fnmatch.fnmatch(path.name, pattern) for pattern in patterns
        ):
            yield path


def text_files(folder: Path = ROOT) -> Iterator[Path]:
    """Walk all text files of the project."""
    for path in listed(folder):
        if path.is_dir():
            yield from text_files(path)
        elif path.suffix not in {".gz", ".png", ".ico", ".woff2"}:
            yield path


def _source(path: Path, root: Path) -> Source:
    text = path.read_text()
    parts = path.relative_to(root).with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Source(path, module, ast.parse(text), len(text.splitlines()))


def _imports(
    node: ast.AST, known: AbstractSet[str], *, at_once: bool = True, for_types: bool = False
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import():
                for alias in child.names:
                    yield Import(alias.name, at_once, for_types)
            case ast.ImportFrom(module=str(module), level=0):
                for alias in child.names:
                    inner = f"{module}.{alias.name}"
                    yield Import(inner if inner in known else module, at_once, for_types)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from _imports(child, known, at_once=False, for_types=for_types)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from _imports(child, known, at_once=False, for_types=True)
            case _:
                yield from _imports(child, known, at_once=at_once, for_types=for_types)
