"""Help that is worth reading, values that are refused with a sentence, and names that the shell completes."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest

from mnist_dash.cli import main
from mnist_dash.cli.command import Command
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.actions import run_actions, run_annotations
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.study_files import parse_study
from tests.cli.interface import commands
from tests.cli.reference import is_command_line
from tests.source_tree import ROOT

COMMANDS = dict(commands())
REFUSED = (
    ("runs --limit 0", "--limit: 0 is too small (at least 1). Type --limit 20, for example."),
    (
        "runs --limit many",
        "--limit: 'many' is not a whole number (at least 1). Type --limit 20, for example.",
    ),
    (
        "runs --limit 1.5",
        "--limit: '1.5' is not a whole number (at least 1). Type --limit 20, for example.",
    ),
    ("runs --limit", "Option '--limit' requires an argument. `python -m mnist_dash"),
    (
        "runs --state don",
        "--state: no such state 'don' (queued, running, paused, finished, stopped, pruned, diverged or failed).",
    ),
    ("runs --state runing", "Did you mean running?"),
    (
        "runs --sort test_acuracy",
        "--sort: no such field 'test_acuracy'. Did you mean test_accuracy?",
    ),
    ("runs --jsn", "No such option '--jsn'. Did you mean --json?"),
    (
        "runs --quickly",
        "No such option '--quickly'. `python -m mnist_dash runs --help` lists its options.",
    ),
    ("runs 3f9c01ab", "Got unexpected extra argument (3f9c01ab)."),
    ("show", "RUN is missing: the run's id; `runs` lists them."),
    ("presets mlp_quik", "mlp_quick"),
    ("train --preset mlp_quik", "mlp_quick"),
    ("train --preset a --config b", "--preset and --config exclude each other. Give one of them."),
    ("train --set epochs", "--set: 'epochs' is not KEY=VALUE. Type --set epochs=8, for example."),
    (
        "train --config nowhere.json",
        "--config: 'nowhere.json' cannot be read (No such file or directory). Give the path of a JSON file",
    ),
    ("reproduce --seeds 0", "--seeds: 0 is too small (at least 1)."),
    (
        "reproduce --seed 4294967296",
        "--seed: 4294967296 is too large (at least 0 and at most 4,294,967,295).",
    ),
    (
        "reproduce --epochs-scale nan",
        "--epochs-scale: 'nan' is not a number (above 0 and at most 10).",
    ),
    ("reproduce mlp_quick", "Preset 'mlp_quick' has no published result to compare with."),
    (
        "worker --exit-when-idle -1",
        "--exit-when-idle: -1 is too small (at least 0 seconds). Type --exit-when-idle 30, for example.",
    ),
    (
        "worker --exit-when-idle nan",
        "--exit-when-idle: 'nan' is not a number (at least 0 seconds).",
    ),
    ("worker --exit-when-idle inf", "--exit-when-idle: inf is too large (at least 0 seconds)."),
    (
        "retention --older-than soon",
        "--older-than: 'soon' is no age (0d to 36,500d). Type 90d or 12w, for example.",
    ),
    ("retention --max-gb -1", "--max-gb: -1 is too small (at least 0 and at most 1,000,000.0 GB)."),
    (
        "worker --for soon",
        "--for: 'soon' is not a time (such as 90s, 55m or 1h30m). Type --for 55m, for example.",
    ),
    ("worker --for 2s", "--for: 2s is too short ("),
    ("worker --device tpu", "--device: 'tpu' is not one of 'cpu', 'cuda'."),
    ("worker --threads 0", "--threads: 0 is too small (at least 1)."),
    ("doctor now", "Got unexpected extra argument (now)."),
    (
        "dashboard --port 80000",
        "--port: 80000 is too large (at least 1 and at most 65,535). Type --port 8600, for example.",
    ),
    ("completion csh", "SHELL: 'csh' is not one of 'bash', 'zsh', 'fish'."),
    ("stop nosuchid", "'nosuchid'"),
    ("pause nosuchid", "'nosuchid'"),
    ("resume nosuchid", "'nosuchid'"),
    (
        "change nosuchid --learning-rate fast",
        "--learning-rate: 'fast' is not a number. Type --learning-rate 0.001, for example.",
    ),
    ("fork nosuchid", "--epoch is missing: last epoch that both share."),
    ("fork nosuchid --epoch 0", "--epoch: 0 is too small (at least 1)."),
    ("continue nosuchid", "--epochs is missing: epochs in all."),
    ("continue nosuchid --epochs 20", "'nosuchid'"),
    (
        "tag nosuchid",
        "Nothing to change: --add, --remove, --name, --star and --archive are missing. Give --add demo, for example.",
    ),
    (
        "tag a b --name x",
        "--name: 2 runs cannot have one name (a name is for one run). Name them one by one.",
    ),
    ("export best.zip", "RUN... is missing: ids of runs; `runs` lists them."),
    ("export nosuchid best.zip", "'nosuchid'"),
    ("backup", "FILE is missing"),
    ("backup /nowhere/all.tar", "cannot be written"),
    ("restore /nowhere/all.tar", "cannot be read"),
    ("import nowhere.zip", "nowhere.zip"),
    ("study", "Usage: python -m mnist_dash study"),
    ("study run", "FILE is missing: a study file"),
    ("study run nowhere.yaml", "nowhere.yaml"),
    ("study lst", "No such command 'lst'. Did you mean list?"),
    ("study show nobody", "'nobody'"),
    ("study list now", "Got unexpected extra argument (now)."),
    ("study pause nobody", "'nobody'"),
    ("study resume nobody", "'nobody'"),
    ("study stop nobody", "'nobody'"),
    ("study conduct now", "Got unexpected extra argument (now)."),
    ("study extend nobody 0", "N: 0 is too small (at least 1). Type 20, for example."),
    ("study export nobody", "None of --csv, --optuna or --yaml is given. Give one of them."),
    ("study export nobody --csv a --yaml b", "--csv and --yaml exclude each other."),
    ("trian", "No such command 'trian'. Did you mean train?"),
    ("fly", "No such command 'fly'. Commands are dashboard, train,"),
    ("--verison", "No such option '--verison'. Did you mean --version?"),
)
"""Command lines that cannot be done, and what is said of them."""


def _help(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main([*arguments, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_and_gives_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command says what it does and shows command lines that parse; short and long option give the same."""
    text = _help(capsys, *name.split())
    assert f"Examples:\n  python -m mnist_dash {name}" in text
    assert max(len(line) for line in text.splitlines()) <= 140
    assert [example for example in COMMANDS[name].examples if not is_command_line(example)] == []
    assert main([*name.split(), "-h"]) == 0
    assert capsys.readouterr().out == text


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_hand_over_what_their_functions_take(name: str) -> None:
    """The function that a command names is there, and takes its parameters by their names."""
    module, function = COMMANDS[name].target.split(":")
    signature = inspect.signature(getattr(import_module(module), function))
    given = {str(parameter.name) for parameter in COMMANDS[name].params}
    signature.bind(**dict.fromkeys(given))


def test_overview_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The overview names all commands, how to open the dashboard, the environment and the exit codes."""
    text = _help(capsys)
    assert [name for name in COMMANDS if " " not in name and f"\n  {name} " not in text] == []
    assert "Open the dashboard:\n  python -m mnist_dash\n" in text
    assert "MNIST_DASH_HOME" in text
    assert "Exit codes" in text


def test_dashboard_is_meant_where_no_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments the dashboard opens in the browser, on a port that Streamlit finds free."""
    started: list[Sequence[str]] = []
    monkeypatch.setattr("os.execv", lambda _program, arguments: started.append(arguments))
    main([])
    main(["dashboard", "--port", "8600", "--no-browser"])
    assert [arguments[-2:] for arguments in started] == [
        ["--server.headless", "false"],
        ["--server.port", "8600"],
    ]


def test_installed_script_names_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Started as the script that pip installs, help and messages name that."""
    monkeypatch.setattr(sys, "argv", ["/usr/bin/mnist-dash"])
    assert "\n  mnist-dash stop 3f9c01ab" in _help(capsys, "stop")
    assert main(["runs"]) == 0
    assert "`mnist-dash train`" in capsys.readouterr().out


def test_impossible_arguments_exit_with_two(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong, what is allowed, what to do; standard output stays empty for programs, and nothing was changed."""
    for line, said in REFUSED:
        assert main(line.split()) == 2, line
        told = capsys.readouterr()
        assert said in told.err, line
        assert "Traceback" not in told.err
        assert told.out == "", line
    assert store.count() == 0
    assert [
        name
        for name in COMMANDS
        if not any(f"{line} ".startswith(f"{name} ") for line, _ in REFUSED)
    ] == []


def test_numbers_are_read_as_people_write_them(store: Store) -> None:
    """Thousands may be separated, and a seed may be the largest."""
    assert main(["runs", "--limit", "50,000"]) == 0
    assert main(["runs", "--limit", " 20 "]) == 0


def _complete(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> dict[str, str]:
    """Press Tab at the end of a command line in zsh; gives names and what is said of them."""
    monkeypatch.setenv("_MNIST_DASH_COMPLETE", "zsh_complete")
    monkeypatch.setenv("COMP_WORDS", f"mnist-dash {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" "))))
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    return dict(zip(lines[1::3], lines[2::3], strict=True))


def test_tab_completes_commands_options_and_names(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands, options, presets, keys of --set with their values, states, runs, tags and studies."""
    run_id = run_actions.submit(store, RunConfig())
    run_annotations.rename(store, run_id, "the wide one")
    run_annotations.add_tags(store, [run_id], ["demo"])
    monkeypatch.setattr(steering, "ensure_study_runner", lambda _settings: None)
    steering.create(store, parse_study("name: narrow\nspace: {epochs: [1, 2]}\nbudget: 2"))
    wanted = {
        "tr": "train",
        "train --pre": "--preset",
        "train --preset mlp_q": "mlp_quick",
        "train --set optimizer.learning_r": "optimizer.learning_rate=",
        "train --set optimizer.kind=adamw": "optimizer.kind=adamw",
        "runs --state fin": "finished",
        "runs --sort test_a": "test_accuracy",
        f"show {run_id[:3]}": run_id,
        f"export {run_id[:3]}": run_id,
        "tag x --add de": "demo",
        "study ext": "extend",
        "study show na": "narrow",
        "worker --device c": "cuda",
        "fork x --optimizer ada": "adam",
        "completion z": "zsh",
    }
    assert {
        words: found
        for words in wanted
        if wanted[words] not in (found := _complete(words, monkeypatch, capsys))
    } == {}
    assert _complete(f"show {run_id}", monkeypatch, capsys) == {run_id: "the wide one, queued"}


def test_tab_creates_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing was trained, nothing is offered and nothing is written."""
    monkeypatch.setenv("MNIST_DASH_HOME", str(tmp_path / "nowhere"))
    assert _complete("show ", monkeypatch, capsys) == {}
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The script asks the installed program for completions."""
    assert main(["completion", shell]) == 0
    assert f"_MNIST_DASH_COMPLETE={shell}_complete" in capfd.readouterr().out


def test_help_loads_no_library_that_it_does_not_need() -> None:
    """Neither help nor a refused word loads the configuration, the database or progress bars."""
    code = (
        "import sys; from mnist_dash.cli import main; main(['--help']); main(['train', '--help']); main(['trian']);"
        "sys.exit(len({'pydantic', 'sqlalchemy', 'rich', 'pandas', 'yaml', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True)
    assert done.returncode == 0


def test_every_command_has_its_own_class() -> None:
    """No command escapes the rules for help, examples and messages."""
    assert len(COMMANDS) > 20
    assert {type(command) for command in COMMANDS.values()} == {Command}
