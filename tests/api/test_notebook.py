"""docs/python.md is a notebook that runs from its first cell to its last."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbclient
import nbformat
import pytest

from tests.api.notebook import FILE, notebook


def test_notebook_is_the_page() -> None:
    """The notebook beside the page has the same words and the same code."""
    assert FILE.read_text() == notebook()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Jupyter's own
def test_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs against a new home; runs, figures and tables are shown richly, and no progress bar is left."""
    monkeypatch.setenv("MNIST_DASH_HOME", str(tmp_path / "notebook"))
    monkeypatch.setenv("MNIST_DASH_THREADS", "2")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(FILE.parents[1]), os.environ.get("PYTHONPATH", "")])
    )
    book = nbformat.read(FILE, as_version=4)  # type: ignore[no-untyped-call]
    nbclient.NotebookClient(
        book, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = json.dumps(outputs)
    assert "<progress" not in shown
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert "finished, 3 epochs of 3" in shown
    assert "application/vnd.plotly.v1+json" in shown
    assert "epochs: 0 is too small" in shown
    assert "McNemar" in shown
    assert "Welch" in shown
