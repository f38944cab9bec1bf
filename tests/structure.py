"""Measures of the sources: sizes of folders, functions and lines. ``python -m tests.structure [--root FOLDER] [--part PACKAGE]``."""

from __future__ import annotations

import argparse
import ast
import graphlib
import io
import statistics
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from tests.source_tree import PACKAGE, ROOT, Source, page_of, read_sources, targets

_LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
"""Tokens that say nothing of a function's length."""
N_FOLDERS = 6
"""Largest folders that are listed."""


def files_by_folder(root: Path) -> Counter[str]:
    """Count the Python files of each folder of the package, its ``__init__.py`` left out."""
    found = [path for path in (root / PACKAGE).rglob("*.py") if path.name != "__init__.py"]
    return Counter(path.parent.relative_to(root).as_posix() for path in found)


def imports_between_pages(modules: Sequence[Source]) -> list[tuple[str, str]]:
    """List the imports of a page's module from another page's folder: who, whom."""
    return [
        (source.module, target)
        for source in modules
        for target in targets(source, modules)
        if page_of(source.module) and page_of(target) and page_of(source.module) != page_of(target)
    ]


def find_cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """Find a cycle of imports; empty where there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []


def function_lines(modules: Sequence[Source]) -> list[int]:
    """Count the lines of each function, decorators left out."""
    return [
        (node.end_lineno or 0) - node.lineno + 1
        for source in modules
        for node in _functions(source)
    ]


def function_tokens(modules: Sequence[Source]) -> list[int]:
    """Count the tokens of each function; a string is one, comments and layout are none."""
    counts = []
    for source in modules:
        rows = sorted(token.start[0] for token in _tokens(source) if token.type not in _LAYOUT)
        counts += [
            sum(node.lineno <= row <= (node.end_lineno or 0) for row in rows)
            for node in _functions(source)
        ]
    return counts


def line_lengths(modules: Sequence[Source]) -> list[int]:
    """Measure the lines that are not empty, in characters."""
    return [
        len(line)
        for source in modules
        for line in source.path.read_text().splitlines()
        if line.strip()
    ]


def n_comments(modules: Sequence[Source]) -> int:
    """Count the comments."""
    return sum(token.type == tokenize.COMMENT for source in modules for token in _tokens(source))


def percentile(values: Sequence[int], share: float) -> int:
    """Give the smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def main() -> None:
    """Print all measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="folder that holds the package")
    parser.add_argument(
        "--part",
        default=PACKAGE,
        help="measure functions and lines of this package alone, as core or ui.pages",
    )
    options = parser.parse_args()
    everything = read_sources(options.root)
    part = options.part if options.part.startswith(PACKAGE) else f"{PACKAGE}.{options.part}"
    modules = [source for source in everything if f"{source.module}.".startswith(f"{part}.")]
    folders = files_by_folder(options.root)
    cycle = find_cycle({source.module: targets(source, everything) for source in everything})
    lines, tokens, lengths = (
        function_lines(modules),
        function_tokens(modules),
        line_lengths(modules),
    )
    print(f"modules                       {sum(folders.values())} in {len(folders)} folders")
    print(
        f"files a folder, largest       {', '.join(f'{name} {count}' for name, count in folders.most_common(N_FOLDERS))}"
    )
    print(f"imports between page folders  {len(imports_between_pages(everything))}")
    print(
        f"import cycles                 {'none' if not cycle else ', '.join(f'{a} -> {b}' for a, b in pairwise(cycle))}"
    )
    print(f"functions                     {len(lines)}")
    print(f"  lines, median / p90         {statistics.median(lines):g} / {percentile(lines, 0.9)}")
    print(
        f"  tokens, median / p90        {statistics.median(tokens):g} / {percentile(tokens, 0.9)}"
    )
    print(
        f"line length, median / p90     {statistics.median(lengths):g} / {percentile(lengths, 0.9)}"
    )
    print(f"comments per 100 lines        {100 * n_comments(modules) / len(lengths):.2f}")


def _functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (
        node
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _tokens(source: Source) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(source.path.read_text()).readline)


if __name__ == "__main__":
    main()
