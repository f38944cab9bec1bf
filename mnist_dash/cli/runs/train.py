"""`train`: queue a run, follow it, print its result."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_dash.cli.formatting import json_line, number, percent, span
from mnist_dash.cli.store_opening import opened
from mnist_dash.core.config.presets import DEFAULT_PRESET, name_of, preset
from mnist_dash.core.config.run_config import RunConfig, parse_config, with_overrides
from mnist_dash.errors import InvalidConfig, InvalidInput, MnistDashError, Problem
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.states import RunState

if TYPE_CHECKING:
    from mnist_dash.runs.store.run_store import Store

MAX_CONFIG_BYTES = 1_000_000


def train(arguments: Namespace) -> int:
    """Train what the arguments say and return the exit code."""
    config = read_configuration(arguments)
    from mnist_dash.runs.actions import run_actions

    with opened() as store:
        run_id = run_actions.submit(store, config, preset=name_of(config, first=arguments.preset))
        run = _follow(store, run_id, quiet=arguments.json)
    if run is None:
        return 1
    print(result_line(run) if arguments.json else _sentences(run))
    return 0 if run.state in (RunState.FINISHED, RunState.STOPPED) else 1


def read_configuration(arguments: Namespace) -> RunConfig:
    """Build the configuration from ``--preset`` or ``--config`` and every ``--set``.

    Raises:
        InvalidInput: no preset has this name, the file cannot be read, or a rule is broken.
    """
    if arguments.config is not None:
        config = parse_config(_read(arguments.config))
    else:
        config = (preset(arguments.preset) if arguments.preset else DEFAULT_PRESET).config
    return with_overrides(config, [_override(text) for text in arguments.set])


def result_line(run: Run) -> str:
    """Write an ended run's result as one object on one line."""
    return json_line(
        {
            "run": run.id,
            "state": run.state.value,
            "test_accuracy": run.test_accuracy,
            "test_loss": run.test_loss,
            "parameters": run.n_parameters,
            "epochs": run.epoch,
            "seconds": round(run.seconds_training, 3),
        }
    )


def _follow(store: Store, run_id: str, *, quiet: bool) -> Run | None:
    """Follow a run to its end; None where that is not possible any more, after saying why."""
    from mnist_dash.cli.runs.following import counting_interruptions, follow, shown

    try:
        with counting_interruptions() as interruptions, shown(quiet=quiet) as show:
            run = follow(store, run_id, show=show, interruptions=interruptions)
    except MnistDashError as error:
        print(f"{error}\nRun {run_id} is kept in the queue.", file=sys.stderr)
        return None
    if not run.state.is_terminal:
        print(f"Run {run_id} is left to itself; see `python -m mnist_dash show {run_id}`.", file=sys.stderr)
        raise KeyboardInterrupt
    return run


def _read(name: str) -> str:
    try:
        content = sys.stdin.buffer.read(MAX_CONFIG_BYTES + 1) if name == "-" else _read_file(Path(name))
        text = content.decode()
    except OSError as error:
        raise InvalidInput(f"--config names a file that can be read; got {name!r}: {error.strerror}. Correct the path.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"--config names a JSON file in UTF-8; got {name!r}, which is not text. Choose another file.") from error
    if len(content) > MAX_CONFIG_BYTES:
        raise InvalidInput(f"A configuration has at most {MAX_CONFIG_BYTES:,} bytes; got more in {name!r}. Choose another file.")
    return text


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_CONFIG_BYTES + 1)


def _override(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InvalidConfig((Problem("--set", "a change is KEY=VALUE", repr(text), "Type --set epochs=8, say."),))
    return key.strip(), value.strip()


def _sentences(run: Run) -> str:
    lines = [f"Run {run.id} {run.state}{f': {run.reason}' if run.reason else '.'}"]
    if run.test_accuracy is not None:
        lines.append(f"Test accuracy {percent(run.test_accuracy)}, test loss {number(run.test_loss)}.")
    epochs = "1 epoch" if run.epoch == 1 else f"{run.epoch} epochs"
    lines.append(f"{run.n_parameters:,} parameters, {epochs}, {span(run.seconds_training)} of training on {run.device or 'no device'}.")
    lines.append(f"More: python -m mnist_dash show {run.id}")
    return "\n".join(lines)
