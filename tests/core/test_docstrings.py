"""Functions of arrays say which shapes they take and give."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.source_tree import ROOT, Source, sources

ARRAYS = re.compile(r"\b(NDArray|Tensor|Values|Images|Weights|Indices)\b")
SHAPE = re.compile(r"``\([^`]*\)``|\bno axes\b|\bany shape\b")
"""A shape in code, such as ``(B, 28, 28)``, or that it is free."""
REFERENCE = re.compile(r"[Ss]ee `([\w.]+)`")


def test_array_functions_name_their_shapes() -> None:
    """Each function of the core whose signature has an array gives its shapes, or names the one that does."""
    functions = [
        (source, node)
        for source in sources()
        if source.layer == "core"
        for node in _array_functions(source)
    ]
    told = {node.name for _, node in functions if SHAPE.search(ast.get_docstring(node) or "")}
    silent = [
        f"{source.path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for source, node in functions
        if (text := ast.get_docstring(node))
        and not SHAPE.search(text)
        and not any(name.rpartition(".")[2] in told for name in REFERENCE.findall(text))
    ]
    assert len(functions) > 100
    assert silent == []


def _array_functions(source: Source) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            annotations = [argument.annotation for argument in arguments] + [node.returns]
            if any(
                annotation is not None and ARRAYS.search(ast.unparse(annotation))
                for annotation in annotations
            ):
                yield node
