"""`import mnist_dash as md`: training, tables, comparisons, other stores."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import mnist_dash as md
from mnist_dash.api.store import OpenStore
from mnist_dash.core.config.run_config import RunConfig, TailSplit
from mnist_dash.errors import InvalidConfig, InvalidInput, InvalidQuery, UnknownPreset, UnknownStudy
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
from tests.comparison_rows import add_runs
from tests.source_tree import ROOT
from tests.trained import TINY
from tests.waiting import wait_until

Trained = tuple[OpenStore, Run, Run]
SMALL = TINY.model_dump(mode="json")


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody works: what is trained stays in the queue."""
    monkeypatch.setattr(
        "mnist_dash.following.worker_start.WorkerStarter.ensure", lambda _self: None
    )


def test_importing_loads_nothing_heavy() -> None:
    """The package's import is free, and asking it for a run loads neither torch nor Streamlit."""
    code = (
        "import sys, mnist_dash as md\n"
        "assert not {'pandas', 'sqlalchemy', 'pydantic', 'torch', 'streamlit'} & set(sys.modules)\n"
        "assert md.runs().empty and callable(md.train)\n"
        "assert not {'torch', 'streamlit', 'sklearn', 'onnxruntime', 'scipy'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_package_of_runs_lists_them() -> None:
    """`mnist_dash.runs` is the package and the function; every public name is there and documented."""
    package = importlib.import_module("mnist_dash.runs")
    assert package is getattr(md, "runs")  # noqa: B009 - the types know the function alone
    assert importlib.import_module("mnist_dash.runs.store") is package.store
    assert callable(md.runs)
    for name in md.__all__:
        assert name in dir(md)
        assert inspect.getdoc(getattr(md, name)), name
    stub = (ROOT / "mnist_dash" / "__init__.pyi").read_text()
    assert [name for name in md.__all__ if f"import {name} as {name}" not in stub] == []
    assert list(inspect.signature(md.run).parameters) == ["run_id"]
    with pytest.raises(AttributeError, match="'trian'"):
        _ = getattr(md, "trian")  # noqa: B009 - the types know better


@pytest.mark.usefixtures("store", "no_worker")
def test_settings_are_named_as_on_the_command_line() -> None:
    """Dots or two underscores, text or values: the configuration is the one that `--set` makes."""
    dotted: dict[str, Any] = {"split.fraction": "0.2"}
    run = md.train(
        SMALL,
        wait=False,
        name="mine",
        tags=["demo"],
        optimizer__learning_rate=0.01,
        seed=3,
        **dotted,
    )
    assert isinstance(run.config.split, TailSplit)
    assert (run.config.optimizer.learning_rate, run.config.split.fraction, run.config.seed) == (
        0.01,
        0.2,
        3,
    )
    assert (run.name, run.state) == ("mine", "queued")
    assert md.train(RunConfig(), wait=False).record.preset == "mlp_quick"
    table = md.runs("tag == 'demo'")
    assert table.index.tolist() == [run.id]
    assert table.loc[run.id, "config.optimizer.learning_rate"] == 0.01


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("config", "settings", "error", "said"),
    [
        ("mlp_quik", {}, UnknownPreset, "Did you mean mlp_quick?"),
        (None, {"epochs": 0}, InvalidConfig, "epochs: 0 is too small"),
        (None, {"optimizer__lr": 0.1}, InvalidConfig, "learning_rate"),
        ("mlp_quick", {"layers__9__units": 3}, InvalidConfig, "there is no layer 9"),
        (None, {"tags": ["a\nb"]}, InvalidInput, "tag"),
    ],
)
def test_impossible_training_queues_nothing(
    config: str | None, settings: dict[str, Any], error: type[Exception], said: str
) -> None:
    """The error is the product's own sentence."""
    with pytest.raises(error) as refused:
        md.train(config, **settings)
    assert said in str(refused.value)
    assert md.runs().empty


@pytest.mark.usefixtures("store", "no_worker")
def test_interrupting_leaves_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl+C ends the waiting, not the run, and the cell says so."""
    default = signal.getsignal(signal.SIGINT)

    def interrupt() -> None:
        wait_until(lambda: signal.getsignal(signal.SIGINT) is not default)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    run = md.train(SMALL)
    assert run.state == "queued"
    assert f"run {run.id} goes on" in capsys.readouterr().err


@pytest.mark.usefixtures("store", "no_worker")
def test_another_thread_may_wait() -> None:
    """A thread hears of no Ctrl+C, and waits all the same."""
    run = md.train(SMALL, wait=False)
    waiting = threading.Thread(target=run.wait, kwargs={"progress": False})
    waiting.start()
    run.stop()
    wait_until(lambda: not waiting.is_alive())
    assert run.state == "stopped"


def test_queries_are_the_pages_own(store: Store) -> None:
    """The newest first, or by a field; what cannot be read says where."""
    add_runs(store, [RunConfig(seed=seed) for seed in range(3)], [0.97, 0.99, 0.98])
    assert md.runs("test_accuracy > 97.5%", sort="test_accuracy")["test_accuracy"].tolist() == [
        0.99,
        0.98,
    ]
    assert md.runs(sort="-test_accuracy", limit=1)["test_accuracy"].tolist() == [0.97]
    with pytest.raises(InvalidQuery, match="optimizer"):
        md.runs("optimzer == 'adam'")
    with pytest.raises(InvalidInput, match="test_accuracy"):
        md.runs(sort="test_acuracy")


def test_two_runs_are_compared_on_their_images(trained: Trained) -> None:
    """The table holds all test images, and the difference is that of the accuracies."""
    opened, one, two = trained
    found = opened.compare(one.id, opened.run(two.id))
    assert found.table.to_numpy().sum() == 10_000
    assert found.table.loc["correct"].sum() / 10_000 == pytest.approx(one.test_accuracy)
    assert found.difference == pytest.approx((two.test_accuracy or 0) - (one.test_accuracy or 0))
    assert found.p_value is not None
    assert found.is_significant == (found.p_value < 0.05)
    assert found.settings.loc["seed"].tolist() == [0, 1]
    assert "McNemar" in found._repr_html_()
    assert len(found.plot("val_loss").data) == 2
    with pytest.raises(InvalidInput, match="val_accuracy"):
        found.plot("val_acuracy")


def test_groups_of_seeds_are_compared_by_welch(store: Store) -> None:
    """Lists are groups; a group without a finished run, and a metric that is none, are refused."""
    good = add_runs(
        store, [RunConfig(seed=seed, batch_size=64) for seed in range(3)], [0.981, 0.982, 0.983]
    )
    bad = add_runs(
        store,
        [RunConfig(seed=seed, batch_size=512) for seed in range(3)],
        [0.961, 0.962, 0.963],
        first=10,
    )
    found = md.compare(good, bad)
    assert found.is_significant
    assert found.difference == pytest.approx(-0.02)
    assert found.table["seeds"].tolist() == [3, 3]
    assert "worse" in repr(found)
    with pytest.raises(InvalidInput, match="group B"):
        md.compare(good, [])
    with pytest.raises(InvalidInput, match="test_accuracy"):
        md.compare(good, bad, metric="accuracy")


def test_other_stores_are_apart(tmp_path: Path, store: Store) -> None:
    """A folder or a URL opens another store; the environment's stays what it was."""
    add_runs(store, [RunConfig()], [0.98])
    with md.open_store(tmp_path / "other") as other:
        assert other.runs().empty
        assert (tmp_path / "other" / "mnist_dash.db").exists()
    with md.open_store(Settings.from_environment().database_url) as same:
        assert len(same.runs()) == 1
    assert len(md.runs()) == 1


@pytest.mark.usefixtures("store")
def test_unknown_study_names_those_that_are_near() -> None:
    """A word without .yaml is a study, and a file that is not there says so."""
    with pytest.raises(UnknownStudy, match="No study 'nobody'"):
        md.study("nobody")
    with pytest.raises(InvalidInput, match="cannot be read"):
        md.study("nobody.yaml")


STUDY = """
import json, sys
import mnist_dash as md
space = {"optimizer.learning_rate": {"low": 0.001, "high": 0.01, "log": True}}
study = md.study({"name": "tiny", "set": json.loads(sys.argv[1]), "space": space}, budget=2)
assert study.state == "finished", study
assert study.trials["state"].tolist() == ["complete", "complete"]
assert study.best["val_accuracy"] == study.trials["val_accuracy"].max()
assert study.best_run.config.optimizer.learning_rate == study.best["optimizer.learning_rate"]
assert md.study("tiny").id == study.id
assert md.studies()["name"].tolist() == ["tiny"]
"""
"""A script; its workers and its study runner outlive it for some seconds."""


@pytest.mark.slow
def test_study_is_run_and_read() -> None:
    """A dict is run to its end: its trials are a table, the best of them a run; its name gives it again."""
    subprocess.run([sys.executable, "-c", STUDY, json.dumps(SMALL)], check=True)
