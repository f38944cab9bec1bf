"""Exports of a study that went through everything: read back by Optuna itself and by the csv module, trial by trial."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import InvalidInput
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.study_files import parse_study
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.export import export_csv, export_optuna
from mnist_dash.search.studies.records import Origin, Study, Trial, TrialState

FILE = """
name: everything
question: Is all of it there?
space:
  optimizer.kind: [sgd, adam, lion]
  optimizer.momentum: {values: [0.0, 0.9], when: {optimizer.kind: sgd}}
  optimizer.learning_rate: {low: 1e-4, high: 1, log: true}
  batch_size: {low: 64, high: 512, step: 64}
  gradient_clip_norm: [null, 1.0]
  label_smoothing: {low: 0.0, high: 0.4, step: 0.1}
seeds: 2
"""
BEGUN = 1_700_000_000.0
BASE = {
    "optimizer.learning_rate": 0.01,
    "batch_size": 128,
    "gradient_clip_norm": None,
    "label_smoothing": 0.1,
}
ENDED = {"started_at": BEGUN + 1, "ended_at": BEGUN + 2.5}
TRIALS: tuple[dict[str, Any], ...] = (
    {
        "state": TrialState.COMPLETE,
        "figures": (0.91,),
        "curve": (0.8, 0.91),
        "deviation": 0.002,
        **ENDED,
    },
    {
        "state": TrialState.PRUNED,
        "figures": (0.5,),
        "curve": (0.5,),
        "reason": "Pruned after epoch 1.",
        **ENDED,
    },
    {
        "state": TrialState.DIVERGED,
        "curve": (0.3,),
        "reason": "Run r: the loss is not finite.",
        **ENDED,
    },
    {"state": TrialState.FAILED, "reason": "It broke.", "started_at": None, "ended_at": BEGUN + 3},
    {"state": TrialState.STOPPED, **ENDED},
    {"state": TrialState.RUNNING, "curve": (0.7,), "started_at": BEGUN + 1, "ended_at": None},
    {"state": TrialState.WAITING, "origin": Origin.PERSON, "started_at": None, "ended_at": None},
)


@pytest.fixture
def study(store: Store) -> Study:
    """A study with a trial in every state and every kind, then narrowed and with a value banned; two runs for trials 0 and 2."""
    study_id = steering.create(store, parse_study(FILE))
    for number, fields in enumerate(TRIALS):
        kind = ("sgd", "adam", "lion")[number % 3]
        momentum = {"optimizer.momentum": 0.9} if kind == "sgd" else {}
        _insert(store, study_id, number, {"optimizer.kind": kind, **momentum, **BASE}, fields)
    steering.narrow(
        store,
        study_id,
        (
            steering.Narrowing("optimizer.learning_rate", 0.1, 0.5),
            steering.Narrowing("batch_size", 256, 512),
        ),
    )
    steering.ban(store, study_id, "optimizer.kind", "lion")
    outside = {
        "optimizer.kind": "adam",
        **BASE,
        "optimizer.learning_rate": 3.0,
        "batch_size": 100,
        "label_smoothing": 0.05,
    }
    _insert(store, study_id, len(TRIALS), outside, {**TRIALS[0], "origin": Origin.PERSON})
    return study_store.find(store, study_id)


def _insert(
    store: Store,
    study_id: str,
    number: int,
    parameters: Mapping[str, object],
    fields: Mapping[str, Any],
) -> None:
    figures, curve = fields.get("figures"), fields.get("curve", ())
    row = {
        "study_id": study_id,
        "number": number,
        "created_at": BEGUN,
        "revision": 1,
        "origin": fields.get("origin", Origin.SAMPLER),
    }
    row |= {
        "parameters": json.dumps(parameters),
        "figures": None if figures is None else json.dumps(figures),
        "curve": json.dumps(curve),
    }
    row |= {
        name: fields[name]
        for name in ("state", "reason", "deviation", "started_at", "ended_at")
        if name in fields
    }
    row |= {"attributes": json.dumps({"nsga2:generation": number, "ours": 1})}
    with store.writing() as connection:
        connection.execute(schema.trials.insert().values(row))
        for seed, accuracy in enumerate((0.9, 0.92) if number in (0, 2) else ()):
            run_id = store.insert_run(
                connection, RunConfig(seed=seed), key=f"{number}.{seed}", preset=None
            )
            reached = {
                "epoch": 2 + seed,
                "seconds_training": 1.5,
                "test_accuracy": accuracy if number == 0 else None,
            }
            connection.execute(
                schema.runs.update().where(schema.runs.c.id == run_id).values(reached)
            )
            connection.execute(
                schema.trial_runs.insert().values(
                    study_id=study_id, number=number, seed=seed, run_id=run_id
                )
            )


def _optuna(path: Path) -> optuna.Study:
    return optuna.load_study(study_name="everything", storage=f"sqlite:///{path}")


def test_optuna_reads_every_trial(store: Store, study: Study, tmp_path: Path) -> None:
    """Number, state, values, parameters, intermediate values, times and attributes are those of our rows."""
    path = tmp_path / "exported.db"
    assert export_optuna(store, study, path) == len(TRIALS) + 1
    loaded = _optuna(path)
    runs = study_store.runs_of(store, study.id)
    ours = study_store.trials(store, study.id)
    assert len(loaded.trials) == len(ours)
    for one, other in zip(ours, loaded.trials, strict=True):
        _compare(one, other, runs.get(one.number, ()))
    assert loaded.trials[0].user_attrs["test_accuracy"] == pytest.approx(0.91)
    assert "test_accuracy" not in loaded.trials[2].user_attrs
    assert loaded.best_trial.number == 0
    assert loaded.directions == [optuna.study.StudyDirection.MAXIMIZE]
    assert loaded.metric_names == ["val_accuracy"]
    assert loaded.user_attrs["question"] == "Is all of it there?"
    assert parse_study(loaded.user_attrs["study_file"]) == study.definition


STATES = [
    *(
        OptunaState.COMPLETE,
        OptunaState.PRUNED,
        OptunaState.FAIL,
        OptunaState.FAIL,
        OptunaState.FAIL,
        OptunaState.RUNNING,
    ),
    *(OptunaState.WAITING, OptunaState.COMPLETE),
]


def _compare(one: Trial, other: FrozenTrial, runs: tuple[str, ...]) -> None:
    assert other.number == one.number
    assert other.state is STATES[one.number]
    assert other.user_attrs["state"] == one.state
    assert other.user_attrs["origin"] == one.origin
    assert other.user_attrs["runs"] == list(runs)
    assert other.user_attrs.get("reason", "") == one.reason
    assert other.user_attrs.get("deviation") == one.deviation
    assert other.params == ({} if one.state is TrialState.WAITING else dict(one.parameters))
    assert other.system_attrs.get("fixed_params", {}) == (
        dict(one.parameters) if one.state is TrialState.WAITING else {}
    )
    assert other.values == (None if one.figures is None else list(one.figures))
    assert other.intermediate_values == dict(enumerate(one.curve, 1))
    assert other.system_attrs.keys() - {"fixed_params"} == {"nsga2:generation"}
    began = (
        None
        if one.state is TrialState.WAITING
        else datetime.fromtimestamp(one.started_at or one.created_at)  # noqa: DTZ006 - Optuna's are local
    )
    assert other.datetime_start == began
    assert other.datetime_complete == (
        None if one.ended_at is None else datetime.fromtimestamp(one.ended_at)  # noqa: DTZ006 - the same
    )
    other._validate()  # Optuna's own check of a trial


def test_distributions_hold_all_editions_and_what_was_tried(
    store: Store, study: Study, tmp_path: Path
) -> None:
    """One distribution a setting: narrowed ranges are as wide as ever, a banned value is there, so is what a person tried outside."""
    export_optuna(store, study, tmp_path / "exported.db")
    trials = _optuna(tmp_path / "exported.db").trials
    found = {
        name: {trial.distributions[name] for trial in trials if name in trial.distributions}
        for name in trials[0].distributions
    }
    assert all(len(distributions) == 1 for distributions in found.values())
    assert {name: next(iter(distributions)) for name, distributions in found.items()} == {
        "optimizer.kind": CategoricalDistribution(("sgd", "adam", "lion")),
        "optimizer.momentum": CategoricalDistribution((0.0, 0.9)),
        "optimizer.learning_rate": FloatDistribution(1e-4, 3.0, log=True),
        # 100 was tried, which no step of 64 reaches.
        "batch_size": IntDistribution(64, 512, step=1),
        "gradient_clip_norm": CategoricalDistribution((None, 1.0)),
        "label_smoothing": FloatDistribution(0.0, 0.4),
    }


def test_steps_stay_where_all_values_are_on_them(store: Store, tmp_path: Path) -> None:
    """A narrowed stepped range whose values are all on its steps keeps the step."""
    study_id = steering.create(store, parse_study(FILE))
    _insert(store, study_id, 0, {"optimizer.kind": "adam", **BASE}, TRIALS[0])
    steering.narrow(store, study_id, (steering.Narrowing("batch_size", 256, 512),))
    export_optuna(store, study_store.find(store, study_id), tmp_path / "steps.db")
    distributions = _optuna(tmp_path / "steps.db").trials[0].distributions
    assert distributions["batch_size"] == IntDistribution(64, 512, step=64)
    assert distributions["label_smoothing"] == FloatDistribution(0.0, 0.4, step=0.1)


def test_optuna_goes_on_with_it(store: Store, study: Study, tmp_path: Path) -> None:
    """The file is a full Optuna database: the waiting trial is taken first, then a sampler adds another."""
    export_optuna(store, study, tmp_path / "exported.db")
    loaded = _optuna(tmp_path / "exported.db")
    loaded.sampler = optuna.samplers.TPESampler(n_startup_trials=1, seed=0)
    loaded.optimize(
        lambda trial: trial.suggest_float("optimizer.learning_rate", 1e-4, 3, log=True), n_trials=2
    )
    assert [loaded.trials[number].state for number in (6, 8)] == [
        OptunaState.COMPLETE,
        OptunaState.COMPLETE,
    ]
    assert loaded.trials[6].params == {"optimizer.learning_rate": 0.01}


def test_csv_has_a_row_a_trial(store: Store, study: Study, tmp_path: Path) -> None:
    """Each trial with its values, figures, what its runs took, and its reason; a file and a stream get the same."""
    assert export_csv(store, study, tmp_path / "trials.csv") == len(TRIALS) + 1
    stream = io.StringIO()
    export_csv(store, study, stream)
    assert (tmp_path / "trials.csv").read_text() == stream.getvalue()
    rows = list(csv.DictReader(io.StringIO(stream.getvalue())))
    assert [row["state"] for row in rows] == [*(fields["state"] for fields in TRIALS), "complete"]
    runs = study_store.runs_of(store, study.id)[0]
    assert rows[0] == {
        "number": "0",
        "state": "complete",
        "origin": "sampler",
        "optimizer.kind": "sgd",
        "optimizer.momentum": "0.9",
        "optimizer.learning_rate": "0.01",
        "batch_size": "128",
        "gradient_clip_norm": "null",
        "label_smoothing": "0.1",
        "val_accuracy": "0.91",
        "deviation": "0.002",
        "test_accuracy": "0.91",
        "epochs_trained": "3",
        "seconds_training": "3.0",
        "runs": " ".join(runs),
        "reason": "",
    }
    assert (rows[1]["optimizer.momentum"], rows[1]["runs"], rows[1]["reason"]) == (
        "",
        "",
        "Pruned after epoch 1.",
    )
    assert (rows[2]["val_accuracy"], rows[2]["test_accuracy"]) == ("", "")


@pytest.mark.parametrize("name", ["there.db", "missing/new.db"])
def test_files_that_cannot_be_written_are_refused(
    store: Store, study: Study, tmp_path: Path, name: str
) -> None:
    """An existing file stays as it is, a missing folder is named, and nothing is left behind."""
    (tmp_path / "there.db").write_text("mine")
    before = sorted(tmp_path.iterdir())
    for export in (export_optuna, export_csv):
        with pytest.raises(InvalidInput, match=name):
            export(store, study, tmp_path / name)
    assert (tmp_path / "there.db").read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == before


def test_ten_thousand_trials_take_seconds(store: Store, tmp_path: Path) -> None:
    """A large study is exported in seconds: measured 2.0 s to Optuna and 0.6 s to CSV on two busy cores; four times that is too much."""
    study_id = steering.create(store, parse_study(FILE))
    row = {
        "study_id": study_id,
        "state": "complete",
        "origin": "sampler",
        "figures": "[0.9]",
        "created_at": BEGUN,
        **ENDED,
    }
    row |= {
        "parameters": json.dumps({"optimizer.kind": "adam", **BASE}),
        "curve": json.dumps([0.1] * 10),
        "revision": 1,
    }
    with store.writing() as connection:
        connection.execute(
            schema.trials.insert(), [row | {"number": number} for number in range(10_000)]
        )
    study = study_store.find(store, study_id)
    begun = time.process_time()
    assert export_optuna(store, study, tmp_path / "large.db") == 10_000
    assert export_csv(store, study, tmp_path / "large.csv") == 10_000
    assert time.process_time() - begun < 10
