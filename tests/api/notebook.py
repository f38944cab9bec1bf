"""docs/python.ipynb, made of docs/python.md. ``python -m tests.api.notebook`` rewrites it."""

from __future__ import annotations

import json
import re

from tests.source_tree import ROOT

PAGE = ROOT / "docs" / "python.md"
FILE = ROOT / "docs" / "python.ipynb"
_CODE = re.compile(r"^```python\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def notebook() -> str:
    """Write the page as a notebook: its blocks of Python as cells, the text between them as Markdown, no outputs."""
    texts = _CODE.split(PAGE.read_text())
    cells = [_cell(place, text.strip()) for place, text in enumerate(texts) if text.strip()]
    return (
        json.dumps(
            {"cells": cells, "metadata": _KERNEL, "nbformat": 4, "nbformat_minor": 5},
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
    )


def _cell(place: int, text: str) -> dict[str, object]:
    cell: dict[str, object] = {
        "id": f"cell-{place}",
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    code: dict[str, object] = {"cell_type": "code", "execution_count": None, "outputs": []}
    return cell | (code if place % 2 else {"cell_type": "markdown"})


if __name__ == "__main__":
    FILE.write_text(notebook())
