"""Help that is worth reading, and arguments that are refused with a sentence."""

from __future__ import annotations

import pytest

from mnist_dash.cli import main

COMMANDS = ("train", "runs", "show", "presets", "stop", "pause", "resume", "change", "fork", "continue", "worker", "doctor")


def _help(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_and_gives_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command says what it does and shows a line to type, or what its exit codes mean."""
    text = _help(capsys, name)
    assert f"python -m mnist_dash {name}" in text
    assert "example" in text or "exit codes" in text
    assert max(len(line) for line in text.splitlines()) <= 140


def test_overview_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The overview names all commands, the environment and the exit codes."""
    text = _help(capsys)
    assert all(f"\n    {name}" in text for name in COMMANDS)
    assert "MNIST_DASH_HOME" in text
    assert "exit codes" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("runs", "--limit", "0"), "--limit: a whole number of at least 1; got '0'"),
        (("runs", "--limit", "many"), "got 'many'"),
        (("worker", "--exit-when-idle", "-1"), "a number of seconds of at least 0; got '-1'"),
        (("worker", "--exit-when-idle", "nan"), "got 'nan'"),
        (("worker", "--device", "tpu"), "invalid choice: 'tpu'"),
        (("train", "--preset", "a", "--config", "b"), "not allowed with argument"),
        (("fly",), "invalid choice: 'fly'"),
        ((), "COMMAND"),
    ],
)
def test_impossible_arguments_exit_with_two(arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be parsed is refused with exit code 2 and named."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
