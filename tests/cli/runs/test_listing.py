"""`runs`, `show` and `presets`: the store's values, for people and for programs, in a moment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_dash.cli import main
from mnist_dash.cli.formatting import json_line, table
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.training.reports import EpochReport
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.execution.worker_records import Outcome, WorkerRecords
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.runs.conftest import new_worker
from tests.source_tree import ROOT


def _finish(store: Store, config: RunConfig) -> str:
    """Record a run of one epoch, as a worker does."""
    run_id = run_actions.submit(store, config)
    records: WorkerRecords = new_worker(store, f"worker-{run_id}", pid=1)
    run = records.claim(Job(run_id, 1))
    assert run is not None
    epoch = EpochReport(
        1,
        config.steps_per_epoch,
        0.001,
        0.3,
        0.9,
        0.2,
        0.95,
        0.25,
        0.93,
        0.26,
        0.92,
        2.0,
        1.0,
        25_000.0,
    )
    records.record_epoch(
        run, [], epoch, artifacts.write(store.settings, run_id, ArtifactKind.CHECKPOINT, b"state")
    )
    outcome = Outcome(
        RunState.FINISHED,
        "All 1 epochs are done.",
        2.0,
        1.0,
        "cpu",
        "float32",
        1,
        1,
        0.1,
        0.97,
        10_000,
    )
    records.finish(run, outcome, files={})
    return run_id


def test_no_runs_says_what_to_do(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list is a sentence for people and nothing for programs."""
    assert main(["runs"]) == 0
    assert "python -m mnist_dash train" in capsys.readouterr().out
    assert main(["runs", "--json"]) == 0
    assert capsys.readouterr().out == ""


def test_runs_are_listed_newest_first(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, the newest first, at most as many as asked for."""
    ids = [run_actions.submit(store, RunConfig(seed=seed)) for seed in range(4)]
    assert main(["runs", "--json", "--limit", "3"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [run["run"] for run in listed] == ids[:0:-1]
    assert {run["state"] for run in listed} == {"queued"}


def test_more_runs_than_listed_are_announced(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """A list that was cut says so, beside the table."""
    for seed in range(3):
        run_actions.submit(store, RunConfig(seed=seed))
    assert main(["runs", "--limit", "2"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 3
    assert "2 of 3" in said.err


def test_states_filter_the_list(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the asked states are listed; an unknown one is refused with the known ones."""
    stopped, queued = (run_actions.submit(store, RunConfig(seed=seed)) for seed in range(2))
    run_actions.stop(store, stopped)
    assert main(["runs", "--state", "stopped"]) == 0
    out = capsys.readouterr().out
    assert stopped in out
    assert queued not in out
    assert main(["runs", "--state", "done"]) == 2
    assert "finished" in capsys.readouterr().err


def test_a_query_and_an_order(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs that meet the query, in the asked order, with what people wrote on them; a typo is shown where it is."""
    first, second, _ = (
        run_actions.submit(store, RunConfig(seed=seed, batch_size=size))
        for seed, size in ((5, 64), (4, 32), (3, 128))
    )
    assert main(["tag", first, second, "--add", "demo", "--star"]) == 0
    assert main(["tag", first, "--name", "the wide one", "--no-star"]) == 0
    capsys.readouterr()
    assert (
        main(["runs", "--where", 'tag == "demo" and batch_size < 128', "--sort", "seed", "--json"])
        == 0
    )
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(run["run"], run["tags"], run["name"], run["starred"]) for run in listed] == [
        (first, ["demo"], "the wide one", False),
        (second, ["demo"], "512-256 Adam 0.001 #2", True),
    ]
    assert main(["runs", "--where", 'tag == "demo"', "--sort=-seed", "--json"]) == 0
    assert [json.loads(line)["run"] for line in capsys.readouterr().out.splitlines()] == [
        second,
        first,
    ]
    assert main(["runs", "--where", "epoch > 5"]) == 0
    assert capsys.readouterr().out == "No run matches the query.\n"
    assert main(["runs", "--where", "sed == 3"]) == 2
    assert capsys.readouterr().err.endswith("Did you mean seed?\n\nsed == 3\n^^^\n")
    assert main(["runs", "--sort", "test_acuracy"]) == 2
    assert "Did you mean test_accuracy?" in capsys.readouterr().err


def test_tags_are_checked_before_anything_changes(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that is not there, a tag that is none, a name for two: refused, and nothing was written."""
    run_id, other = (run_actions.submit(store, RunConfig(seed=seed)) for seed in range(2))
    for refused in (
        ["nosuchid", "--add", "a"],
        ["--add", "a", "--add", "two words"],
        [other, "--name", "both"],
        [],
    ):
        assert main(["tag", run_id, *refused]) == 2
        assert capsys.readouterr().err
    assert main(["runs", "--where", "tag != none or name == 'both'", "--json"]) == 0
    assert capsys.readouterr().out == ""


def test_table_has_the_figures(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """A finished run's line has its network, its epochs and its accuracies."""
    run_id = _finish(store, RunConfig(epochs=1))
    assert main(["runs"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(run_id))
    assert [
        word
        for word in (
            "finished",
            "512-256 Adam 0.001 #",
            "1/1",
            "93.00 %",
            "97.00 %",
            "2.0 s",
            " UTC ",
        )
        if word not in line
    ] == []


def test_show_has_result_history_and_settings(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything about one run, its interval included, and its settings as --set takes them."""
    run_id = _finish(store, RunConfig(epochs=1))
    assert main(["show", run_id]) == 0
    out = capsys.readouterr().out
    assert "test accuracy 97.00 % (95 % interval 96.65 to 97.32 %)" in out
    assert "535,818 parameters" in out
    assert "optimizer.learning_rate = 0.001" in out
    assert "early_stopping = none" in out


def test_shown_configuration_trains_again(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON of `show` has the history and the very configuration."""
    config = PRESETS["cnn_9_9_16"].config
    run_id = _finish(store, config)
    assert main(["show", run_id, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert RunConfig.model_validate(values["config"]) == config
    assert [epoch["val_accuracy"] for epoch in values["history"]] == [0.93]
    assert (values["test_accuracy"], values["seconds"], values["device"]) == (0.97, 2.0, "cpu")


def test_leak_is_marked(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the test set validates, the figure says so."""
    assert main(["show", _finish(store, PRESETS["linear_10_10"].config)]) == 0
    assert "measured on the test set" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["show", "stop"])
def test_unknown_run_is_named(name: str, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """An id that is none is refused with where to look it up."""
    assert main([name, "nosuchid"]) == 2
    said = capsys.readouterr().err
    assert "'nosuchid'" in said
    assert "python -m mnist_dash runs" in said


def test_presets_are_listed_with_what_was_published(capsys: pytest.CaptureFixture[str]) -> None:
    """Each preset has a line; programs get the published numbers too."""
    assert main(["presets"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in PRESETS)
    assert main(["presets", "--json"]) == 0
    values = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [value["preset"] for value in values] == list(PRESETS)
    assert values[1]["published"]["test_accuracy"] == 0.9805


def test_listing_leaves_torch_alone(own_home: Path) -> None:
    """`runs` imports neither torch nor Streamlit."""
    code = "import sys; from mnist_dash.cli import main; sys.exit(main(['runs']) or len({'torch', 'streamlit'} & set(sys.modules)))"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=False, stdout=subprocess.DEVNULL
        ).returncode
        == 0
    )


def test_tables_are_aligned() -> None:
    """Texts stand left, numbers right, under their headings."""
    assert (
        table(("name", "n"), [("a", "10"), ("bc", "9")], right=("n",))
        == "name   n\na     10\nbc     9"
    )


def test_json_has_no_nan() -> None:
    """NaN is not JSON and is refused rather than written."""
    with pytest.raises(ValueError, match="Out of range"):
        json_line({"loss": float("nan")})
