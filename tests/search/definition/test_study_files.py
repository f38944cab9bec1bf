"""The study files of the repository: each is read, checked, and runs to its end at a small scale with a real worker and study runner."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.methods import OBJECTIVES, PRUNER_KINDS, SAMPLER_KINDS, Budget
from mnist_dash.search.definition.network_shape import WORDS
from mnist_dash.search.definition.study_definition import StudyDefinition, check, parse_definition
from mnist_dash.search.definition.study_files import FIELDS, parse_study, read_study, write_study
from mnist_dash.search.engine import study_runner
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import StudyState, TrialState, best_trial
from mnist_dash.settings import Settings
from tests.source_tree import ROOT
from tests.waiting import PATIENCE_SECONDS, wait_until

FILES = sorted((ROOT / "studies").iterdir())
SMALL_NETWORK = [
    {"kind": "conv", "filters": 2, "kernel": 5, "stride": 3},
    {"kind": "flatten"},
    {"kind": "dense", "units": 10, "activation": "softmax"},
]
WIDTHS = ("units", "filters")


def small(definition: StudyDefinition) -> StudyDefinition:
    """Scale a study down: a short epoch, two or three trials, large batches, narrow layers; space, sampler and pruner stay."""
    tree = definition.model_dump(mode="json")
    base = tree["space"]["base"] | {"epochs": 1}
    if "batch_size" not in definition.space.paths:
        base["batch_size"] = 2048
    if "split.fraction" not in definition.space.paths:
        base["split"] = {"kind": "tail", "fraction": 0.9}  # an epoch of 6,000 images
    if not any(path.startswith(("dense.", "conv.")) for path in definition.space.paths):
        base["layers"] = SMALL_NETWORK
    tree["space"] = {
        "base": base,
        "parameters": [_narrowed(parameter) for parameter in tree["space"]["parameters"]],
    }
    tree |= {
        "budget": {"trials": n_trials(definition)},
        "seeds": min(2, definition.seeds),
        "parallelism": n_trials(definition),
    }
    return parse_definition(tree)


def n_trials(definition: StudyDefinition) -> int:
    """Say how many trials a study has at a small scale: two where each is two runs."""
    return 2 if definition.seeds > 1 else 3


def _narrowed(parameter: dict[str, Any]) -> dict[str, Any]:
    leaf, kind = parameter["path"].rpartition(".")[2], parameter["kind"]
    if parameter["path"] == "batch_size":  # the largest ones are the fastest
        return parameter | (
            {"values": parameter["values"][-2:]}
            if kind == "choice"
            else {"low": parameter["high"] // 2}
        )
    if leaf in WIDTHS:
        return parameter | (
            {"values": parameter["values"][:2]}
            if kind == "choice"
            else {"high": parameter["low"] * (2 if leaf == "units" else 1)}
        )
    return parameter


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, dict[str, str]]]:
    """All studies, begun at once at a small scale in one store with one worker; their ids by file name."""
    home = tmp_path_factory.mktemp("studies")
    environment = {"MNIST_DASH_HOME": str(home)}
    store = Store.open(Settings.from_environment(environment))
    worker = subprocess.Popen(
        [sys.executable, "-m", "mnist_dash", "worker", "--threads", "1"],
        cwd=ROOT,
        env=os.environ | environment,
    )
    try:
        yield store, {file.name: steering.create(store, small(read_study(file))) for file in FILES}
    finally:
        worker.terminate()
        worker.wait(timeout=PATIENCE_SECONDS)
        runner = study_runner._started.pop(store.settings.database_url, None)
        if runner is not None:
            runner.terminate()
            runner.wait(timeout=PATIENCE_SECONDS)
        store.close()


def test_there_are_the_studies_that_the_documentation_lists() -> None:
    """Each file is YAML and has its line in docs/studies.md."""
    assert len(FILES) >= 7
    documented = (ROOT / "docs" / "studies.md").read_text()
    assert [
        file.name
        for file in FILES
        if file.suffix != ".yaml" or f"studies/{file.name}" not in documented
    ] == []


def test_every_word_is_documented() -> None:
    """docs/studies.md names each word of a file, each sampler and pruner with its options, each objective and each word for a network."""
    text = (ROOT / "docs" / "studies.md").read_text()
    rows = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}
    missing = [word for word in (*FIELDS, *OBJECTIVES, *WORDS) if f"`{word}`" not in text]
    missing += [f"budget.{name}" for name in Budget.model_fields if name not in rows]
    for kind, spec in (*SAMPLER_KINDS.items(), *PRUNER_KINDS.items()):
        missing += (
            [kind]
            if kind not in rows
            else [
                f"{kind}.{name}"
                for name in set(spec.model_fields) - {"kind"}
                if name not in rows[kind]
            ]
        )
    assert missing == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_file_says_what_it_is(file: Path) -> None:
    """A name after the file's, a question in a sentence, a comment that explains, and an end; writing it and reading it changes nothing."""
    definition = read_study(file)
    assert definition.name == file.stem.replace("_", "-")
    assert definition.question.endswith(("?", ".)"))
    assert " " in definition.question
    assert file.read_text().startswith("# ")
    assert check(definition) == ()
    assert not definition.space.base.leaks_test_set
    assert (
        definition.n_grid is not None
        or definition.budget.trials is not None
        or definition.budget.minutes is not None
    )
    assert parse_study(write_study(definition)) == definition


def test_the_reports_sweeps_are_those_of_their_report() -> None:
    """Values, batch and epochs are the report's; three seeds each, all points of the grid, scored on validation."""
    batch, split = (
        read_study(ROOT / "studies" / name) for name in ("batch_size.yaml", "validation_split.yaml")
    )
    assert [point["batch_size"] for point in batch.space.grid()] == [16, 32, 64, 128, 256]
    assert [point["split.fraction"] for point in split.space.grid()] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert split.space.base.batch_size == 1024
    for study in (batch, split):
        assert (study.space.base.epochs, study.seeds, study.n_grid, study.budget.trials) == (
            1,
            3,
            5,
            None,
        )
        assert study.space.base.n_parameters == 1_199_882
        assert study.objectives == ("val_accuracy",)


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_study_runs_to_its_end(begun: tuple[Store, dict[str, str]], file: Path) -> None:
    """It finishes with as many trials as it was to have, each with its runs, and the best is what the run table says."""
    store, ids = begun
    study_id = ids[file.name]
    wait_until(lambda: study_store.find(store, study_id).state.has_ended, f"{file.name} to end")
    study = study_store.find(store, study_id)
    assert (study.state, study.reason) == (
        StudyState.FINISHED,
        f"All {n_trials(study.definition)} trials are done.",
    )
    trials, runs = study_store.trials(store, study_id), study_store.runs_of(store, study_id)
    assert [trial.number for trial in trials] == list(range(n_trials(study.definition)))
    assert {len(runs[trial.number]) for trial in trials} == {study.definition.seeds}
    assert {trial.state for trial in trials} <= {
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.DIVERGED,
    }
    best = best_trial(trials, study.definition)
    assert best is not None
    assert best.figures is not None
    best_runs = [store.run(run_id) for run_id in runs[best.number]]
    assert {run.state for run in best_runs} == {RunState.FINISHED}
    assert best.figures[0] == pytest.approx(
        sum(run.last_val_accuracy or 0.0 for run in best_runs) / len(best_runs)
    )
    assert all(
        run.config == study.definition.space.configure(best.parameters, seed=run.config.seed)
        for run in best_runs
    )
