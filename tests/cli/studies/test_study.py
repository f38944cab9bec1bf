"""`study`: real studies with a real study runner and worker, and what steers, lists and exports them."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from mnist_dash.cli import main
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.study_files import parse_study, read_study
from mnist_dash.search.engine import study_runner
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import StudyState, TrialState
from mnist_dash.settings import Settings
from tests.cli.conftest import command
from tests.source_tree import ROOT
from tests.waiting import PATIENCE_SECONDS, wait_until

TINY = """
name: tiny
question: Does it run?
base: linear_10_10
set: {epochs: 1, batch_size: 2000, split.kind: tail}
space:
  optimizer.learning_rate: {low: 0.05, high: 0.5, log: true}
  label_smoothing: [0.0, 0.1]
sampler: random
budget: 3
parallelism: 2
"""
ENDLESS = TINY.replace("epochs: 1", "epochs: 10000")
KEYS = ["study", "name", "state", "trials", "best", "seconds"]
BEST_KEYS = ["trial", "run", "runs", "value", "values", "parameters", "test_accuracy"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A study file of three trials of a linear network, an epoch each."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def staffed_home(staffed: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The module's home with a living worker, as the one that commands use; the study runner of this process ends with the test."""
    monkeypatch.setenv("MNIST_DASH_HOME", str(staffed.settings.home))
    yield staffed
    process = study_runner._started.pop(staffed.settings.database_url, None)
    if process is not None:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)


@pytest.fixture
def quiet(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store in which nobody advances studies and nobody works."""
    monkeypatch.setattr(steering, "ensure_study_runner", lambda _settings: None)
    return store


def _object(capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    out = capfd.readouterr().out
    assert out.count("\n") == 1
    values: dict[str, Any] = json.loads(out)
    return values


def test_run_prints_one_object_and_goes_on_when_more_is_wanted(
    staffed_home: Store, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The object is what the store says; the same again trains nothing, more trials only the missing ones, fewer none."""
    assert main(["study", "run", str(file), "--json"]) == 0
    values = _object(capfd)
    assert list(values) == KEYS
    assert list(values["best"]) == BEST_KEYS
    assert (values["name"], values["state"], values["trials"]) == (
        "tiny",
        "finished",
        {"complete": 3},
    )
    runs = [
        staffed_home.run(ids[0])
        for ids in study_store.runs_of(staffed_home, values["study"]).values()
    ]
    best = max(runs, key=lambda run: run.last_val_accuracy or 0.0)
    assert values["best"]["value"] == best.last_val_accuracy
    assert (values["best"]["run"], values["best"]["runs"], values["best"]["test_accuracy"]) == (
        best.id,
        [best.id],
        best.test_accuracy,
    )
    assert (
        values["best"]["parameters"]["optimizer.learning_rate"]
        == best.config.optimizer.learning_rate
    )
    assert values["best"]["values"] == {"val_accuracy": best.last_val_accuracy}
    assert main(["study", "run", str(file), "--json"]) == 0
    assert _object(capfd) == values
    assert main(["study", "run", str(file), "--json", "--trials", "5"]) == 0
    more = _object(capfd)
    assert (more["study"], more["trials"]) == (values["study"], {"complete": 5})
    assert main(["study", "run", str(file), "--json", "--trials", "2"]) == 0
    assert _object(capfd)["trials"] == {"complete": 5}


def test_people_get_a_line_a_trial(
    staffed_home: Store, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal each trial is told when it ends, with the pace; the result is sentences."""
    assert (
        main(
            [
                "study",
                "run",
                str(file),
                "--name",
                "told",
                "--trials",
                "2",
                "--seed",
                "7",
                "--parallel",
                "1",
            ]
        )
        == 0
    )
    said = capfd.readouterr()
    assert study_store.find(staffed_home, "told").definition.seed == 7
    assert study_store.find(staffed_home, "told").definition.parallelism == 1
    assert [
        line.split(" (")[0][:16] for line in said.err.splitlines() if line.startswith("trial")
    ] == [
        "trial 0 complete",
        "trial 1 complete",
    ]
    assert "2 of 2 trials, best value" in said.err
    assert "trials per hour" in said.err
    assert "Study told finished: All 2 trials are done. 2 complete" in said.out
    assert "Best validation accuracy" in said.out


def test_study_without_a_complete_trial_exits_with_one(
    staffed_home: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Trials that diverge are counted as such, none of them is the best, and the study ends."""
    path = tmp_path / "hopeless.yaml"
    path.write_text(
        TINY.replace("low: 0.05, high: 0.5", "low: 50, high: 100").replace(
            "epochs: 1", "epochs: 3, probability_clip: 0"
        )
    )
    assert main(["study", "run", str(path), "--name", "hopeless", "--json"]) == 1
    values = _object(capfd)
    assert (values["state"], values["trials"], values["best"]) == (
        "finished",
        {"diverged": 3},
        None,
    )


def test_several_objectives_have_a_front(
    staffed_home: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The front is what no other trial beats in both: checked against all of them."""
    path = tmp_path / "two.yaml"
    path.write_text(
        "name: two\nbase: linear_10_10\nset: {epochs: 1, batch_size: 2000, split.kind: tail}\nspace: {layers.1.units: [2, 10, 40]}\n"
        "objectives: [val_accuracy, parameters]\nsampler: grid\n"
    )
    assert main(["study", "run", str(path), "--json"]) == 0
    values = _object(capfd)
    assert list(values) == [*KEYS[:-1], "front", "seconds"]
    all_of = [trial.figures or () for trial in study_store.trials(staffed_home, values["study"])]
    unbeaten = [
        one
        for one in all_of
        if not any(two[0] >= one[0] and two[1] <= one[1] and two != one for two in all_of)
    ]
    assert sorted(tuple(one["values"].values()) for one in values["front"]) == sorted(unbeaten)
    assert values["best"]["trial"] == values["front"][0]["trial"]


def test_narrowed_study_still_belongs_to_its_file(
    staffed_home: Store, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A study that was steered since is followed; a file that explores something else is refused, with another name to take."""
    assert main(["study", "run", str(file), "--name", "steered", "--trials", "1", "--json"]) == 0
    study_id = _object(capfd)["study"]
    steering.narrow(
        staffed_home, study_id, (steering.Narrowing("optimizer.learning_rate", 0.1, 0.2),)
    )
    assert main(["study", "run", str(file), "--name", "steered", "--trials", "2", "--json"]) == 0
    assert _object(capfd)["study"] == study_id
    assert (
        0.1
        <= float(
            str(study_store.trials(staffed_home, study_id)[1].parameters["optimizer.learning_rate"])
        )
        <= 0.2
    )
    file.write_text(TINY.replace("high: 0.5", "high: 0.6"))
    assert main(["study", "run", str(file), "--name", "steered", "--json"]) == 2
    assert (
        "space: it differs from the study of this name, which has trials already"
        in capfd.readouterr().err
    )
    assert main(["study", "run", str(file), "--name", "steered", "--seed", "3", "--json"]) == 2
    assert "steered-2" in capfd.readouterr().err


def test_ctrl_c_stops_the_study_and_keeps_it(tmp_path: Path) -> None:
    """Alone, it starts workers, each with its share of threads; Ctrl+C stops study and trials, keeps what there is, and says so."""
    home, path = tmp_path / "alone", tmp_path / "endless.yaml"
    path.write_text(ENDLESS)
    store = Store.open(Settings.from_environment({"MNIST_DASH_HOME": str(home)}))
    with command("study", "run", str(path), "--json", home=home, MNIST_DASH_THREADS="2") as process:
        wait_until(
            lambda: sum(run.step > 0 for run in store.runs(states=[RunState.RUNNING])) == 2,
            "two trials to train",
        )
        workers = store.workers()
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1, said
    values = json.loads(out)
    assert (values["state"], values["trials"], values["best"]) == ("stopped", {"stopped": 2}, None)
    assert [worker.n_threads for worker in workers] == [1, 1]
    assert "its results are kept" in said
    assert {run.state for run in store.runs()} == {RunState.STOPPED}
    wait_until(
        lambda: all(worker.state == "gone" for worker in store.workers()),
        "the workers to end by themselves",
    )
    store.close()


@pytest.mark.slow
def test_second_ctrl_c_leaves_at_once(tmp_path: Path) -> None:
    """It does not wait for the trials: the study is stopped by whoever advances it."""
    home, path = tmp_path / "alone", tmp_path / "endless.yaml"
    path.write_text(ENDLESS)
    store = Store.open(Settings.from_environment({"MNIST_DASH_HOME": str(home)}))
    with command("study", "run", str(path), "--json", home=home, MNIST_DASH_THREADS="1") as process:
        wait_until(
            lambda: any(run.step > 0 for run in store.runs(states=[RunState.RUNNING])),
            "a trial to train",
        )
        process.send_signal(signal.SIGINT)
        wait_until(
            lambda: study_store.find(store, "tiny").state is not StudyState.RUNNING,
            "the study to be told",
        )
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    # 1 where the study was stopped before the second one came.
    assert process.returncode in (
        1,
        130,
    )
    assert bool(out) == (process.returncode == 1)
    wait_until(
        lambda: study_store.find(store, "tiny").state is StudyState.STOPPED,
        "the study to be stopped",
    )
    wait_until(
        lambda: all(worker.state == "gone" for worker in store.workers()),
        "the workers to end by themselves",
    )
    store.close()


@pytest.mark.slow
def test_conduct_advances_studies_until_ctrl_c(quiet: Store) -> None:
    """A study runner in a terminal takes studies that nobody advances, begins their trials, and ends well."""
    study_id = steering.create(quiet, parse_study(TINY))
    assert not study_store.find(quiet, study_id).is_advanced
    with command("study", "conduct", home=quiet.settings.home) as process:
        wait_until(
            lambda: study_store.counts(quiet, study_id) == {TrialState.RUNNING: 2},
            "two trials to be begun",
        )
        assert study_store.find(quiet, study_id).is_advanced
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert quiet.count(states=[RunState.QUEUED]) == 2


def test_broken_study_is_paused_once_and_waits_for_a_person(quiet: Store) -> None:
    """A step that ends with an error pauses the study with the reason; it is not taken again before somebody resumes it."""
    study_id = steering.create(quiet, parse_study(TINY))
    number = steering.try_next(
        quiet, study_id, {"optimizer.learning_rate": 0.3, "label_smoothing": 0.1}
    )
    with quiet.writing() as connection:
        study_store.write_trial(connection, study_id, number, revision=99, parameters="{damaged")
    runner = study_runner.StudyRunner(quiet)
    for _ in range(3):
        runner._seen, runner._beat_at = -1, 0.0  # as if a second had passed
        runner.look()
    study = study_store.find(quiet, study_id)
    assert study.state is StudyState.PAUSED
    assert "JSONDecodeError" in study.reason
    assert (
        sum(event.sentence.startswith("Paused:") for event in study_store.events(quiet, study_id))
        == 1
    )


def test_steering_commands_do_what_their_names_say(
    quiet: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pause, resume, extend and stop by name or id, refused where the state does not allow it."""
    study_id = steering.create(quiet, parse_study(TINY))
    assert main(["study", "pause", "tiny"]) == 0
    assert study_store.find(quiet, study_id).state is StudyState.PAUSED
    assert main(["study", "pause", study_id]) == 2
    assert (
        "is paused and cannot become paused; only one that is running can"
        in capsys.readouterr().err
    )
    assert main(["study", "resume", study_id]) == 0
    assert "No worker is running" in capsys.readouterr().err
    assert main(["study", "extend", "tiny", "7"]) == 0
    assert study_store.find(quiet, study_id).definition.budget.trials == 10
    assert main(["study", "stop", "tiny", "--cancel"]) == 0
    assert study_store.find(quiet, study_id).state is StudyState.STOPPING
    assert [event.sentence.split(":")[0] for event in study_store.events(quiet, study_id)] == [
        *("Begun", "Paused.", "Resumed.", "7 more trials.", "Stopped, what ran included."),
    ]


def test_studies_are_listed_and_shown(quiet: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Newest first; head, trials and events, for people and for programs."""
    assert main(["study", "list"]) == 0
    assert "study run studies/" in capsys.readouterr().out
    ids = [
        steering.create(quiet, parse_study(TINY.replace("tiny", name)))
        for name in ("first", "second")
    ]
    number = steering.try_next(
        quiet, ids[0], {"optimizer.learning_rate": 0.3, "label_smoothing": 0.1}
    )
    assert main(["study", "list"]) == 0
    assert [line.split()[:3] for line in capsys.readouterr().out.splitlines()[1:]] == [
        [ids[1], "second", "running"],
        [ids[0], "first", "running"],
    ]
    assert main(["study", "list", "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["study"], one["best"], one["question"]) for one in listed] == [
        (ids[1], None, "Does it run?"),
        (ids[0], None, "Does it run?"),
    ]
    assert main(["study", "show", "first"]) == 0
    shown = capsys.readouterr().out
    assert f"Study {ids[0]} first: running" in shown
    assert "learning_rate" in shown
    assert "asked for: optimizer.learning_rate = 0.3" in shown
    assert main(["study", "show", "first", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["counts"] == {"waiting": 1}
    assert [
        (one["trial"], one["state"], one["origin"], one["runs"]) for one in values["trials"]
    ] == [(number, "waiting", "person", [])]
    assert (
        parse_study(json.dumps(_as_file(values["definition"])))
        == study_store.find(quiet, ids[0]).definition
    )


def _as_file(definition: dict[str, Any]) -> dict[str, Any]:
    """Turn the JSON of a definition into the tree of a study file."""
    fields = {
        name: definition[name]
        for name in (
            "name",
            "question",
            "objectives",
            "sampler",
            "pruner",
            "parallelism",
            "seeds",
            "seed",
        )
    }
    space = {}
    for parameter in definition["space"]["parameters"]:
        kept = {
            name: parameter[name] for name in ("low", "high", "log", "values") if name in parameter
        }
        space[parameter["path"]] = kept
    budget = {name: value for name, value in definition["budget"].items() if value is not None}
    return fields | {"set": definition["space"]["base"], "space": space, "budget": budget}


def test_exports_are_written_once(
    quiet: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table, an Optuna database and a study file; none of them replaces a file that is there."""
    study_id = steering.create(quiet, parse_study(TINY))
    steering.try_next(quiet, study_id, {"optimizer.learning_rate": 0.3, "label_smoothing": 0.1})
    for option, name in (("--csv", "a.csv"), ("--optuna", "a.db"), ("--yaml", "a.yaml")):
        assert main(["study", "export", "tiny", option, str(tmp_path / name)]) == 0
        assert f"to {tmp_path / name}." in capsys.readouterr().out
        content = (tmp_path / name).read_bytes()
        assert main(["study", "export", "tiny", option, str(tmp_path / name)]) == 2
        assert "exists already" in capsys.readouterr().err
        assert (tmp_path / name).read_bytes() == content
    assert read_study(tmp_path / "a.yaml") == study_store.find(quiet, study_id).definition
    assert (
        len(optuna.load_study(study_name="tiny", storage=f"sqlite:///{tmp_path / 'a.db'}").trials)
        == 1
    )
    assert main(["study", "export", "tiny", "--csv", "-"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["state"], row["optimizer.learning_rate"]) == ("waiting", "0.3")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "nowhere.yaml"), "The study file 'nowhere.yaml' cannot be read"),
        (("show", "nobody"), "No study 'nobody'"),
        (("extend", "nobody", "0"), "N: 0 is too small (at least 1). Type 20, for example."),
        (
            ("run", "a.yaml", "--minutes", "0"),
            "--minutes: 0 is too small (above 0 and at most 100,000 minutes)",
        ),
        (("export", "nobody"), "None of --csv, --optuna or --yaml is given"),
        ((), "COMMAND"),
    ],
)
def test_impossible_input_is_refused(
    arguments: tuple[str, ...], words: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2: what is wrong, what is allowed, what to do."""
    assert main(["study", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_study_files_of_the_package_are_found_anywhere(
    quiet: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``studies/NAME.yaml`` is the package's where there is none in the folder; a file that is there goes first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "mnist_dash.following.worker_start.WorkerStarter.ensure", lambda _self: None
    )
    assert main(["study", "run", "studies/batch_size.yaml", "--detach"]) == 0
    assert study_store.exists(quiet, "batch-size")
    Path("studies").mkdir()
    Path("studies/batch_size.yaml").write_text(TINY)
    assert main(["study", "run", "studies/batch_size.yaml", "--detach"]) == 0
    assert study_store.exists(quiet, "tiny")
    assert main(["study", "run", "studies/nowhere.yaml"]) == 2
    assert "nowhere.yaml" in capsys.readouterr().err


def test_file_with_mistakes_names_their_lines(
    store: Store, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every mistake with its line, and no study is created; what an option says is checked like what the file says."""
    file.write_text(TINY.replace("low: 0.05", "low: 0").replace("label_smoothing", "smoothing"))
    assert main(["study", "run", str(file)]) == 2
    said = capsys.readouterr().err
    assert "line 7, space.optimizer.learning_rate" in said
    assert study_store.all_studies(store) == ()
    file.write_text(TINY)
    assert main(["study", "run", str(file), "--parallel", "1000"]) == 2
    assert "parallelism" in capsys.readouterr().err
    assert study_store.all_studies(store) == ()


def test_modules_load_without_torch() -> None:
    """Following and steering a study loads no torch."""
    code = (
        "import sys, mnist_dash.cli.studies.study, mnist_dash.following.study, mnist_dash.cli.studies.steering;"
        "import mnist_dash.search.studies.export;"
        "sys.exit(bool({'torch', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
