"""`export` and `import` from a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mnist_dash.cli import main
from mnist_dash.runs.store.run_store import Store
from tests.trained import train_into


def test_run_goes_from_home_to_home(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Written here, taken over there, the same again is known; a damaged file exits with 2 and changes nothing."""
    run = train_into(store)
    path = tmp_path / "runs.tar"
    assert main(["export", run.id, str(path)]) == 0
    assert f"1 run written to {path}" in capsys.readouterr().out
    monkeypatch.setenv("MNIST_DASH_HOME", str(tmp_path / "elsewhere"))
    assert main(["import", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"imported": {run.id: run.id}, "known": []}
    assert main(["import", str(path)]) == 0
    assert "here already" in capsys.readouterr().out
    assert main(["show", run.id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test_accuracy"] == run.test_accuracy
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"epoch": 1', b'"epoch": 2', 1))
    monkeypatch.setenv("MNIST_DASH_HOME", str(tmp_path / "third"))
    assert main(["import", str(path)]) == 2
    assert "changed or damaged" in capsys.readouterr().err
    assert main(["runs"]) == 0
    assert "No runs yet" in capsys.readouterr().out
