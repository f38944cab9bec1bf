"""`train`: queue a run, follow it, print its result."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_dash.cli.command import as_typed, program
from mnist_dash.cli.formatting import json_line
from mnist_dash.cli.store_opening import opened
from mnist_dash.core.config import presets
from mnist_dash.core.config.cautions import cautions
from mnist_dash.core.config.run_config import RunConfig, parse_config, with_overrides
from mnist_dash.errors import InvalidInput, MnistDashError
from mnist_dash.formatting import duration, number, percent
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.states import RunState
from mnist_dash.text import plural

if TYPE_CHECKING:
    from mnist_dash.runs.store.run_store import Store

MAX_CONFIG_BYTES = 1_000_000


def train(*, preset: str | None, config: str | None, changes: Sequence[str], as_json: bool) -> int:
    """Train what the options say and return the exit code."""
    wanted = read_configuration(preset=preset, config=config, changes=changes)
    from mnist_dash.runs.actions import run_actions

    for caution in cautions(wanted):
        print(f"Warning: {caution}", file=sys.stderr)
    with opened() as store:
        run_id = run_actions.submit(store, wanted, preset=presets.name_of(wanted, first=preset))
        run = _follow(store, run_id, quiet=as_json)
    if run is None:
        return 1
    print(result_line(run) if as_json else _sentences(run))
    return 0 if run.state in (RunState.FINISHED, RunState.STOPPED) else 1


def read_configuration(
    *, preset: str | None = None, config: str | None = None, changes: Sequence[str] = ()
) -> RunConfig:
    """Build the configuration from ``--preset`` or ``--config`` and every ``--set``.

    Raises:
        InvalidInput: no preset has this name, the file cannot be read, or the configuration is invalid.
    """
    base = (
        parse_config(_read(config))
        if config is not None
        else (presets.preset(preset) if preset else presets.DEFAULT_PRESET).config
    )
    return with_overrides(base, [_change(text) for text in changes])


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
    from mnist_dash.following.follow import counting_interruptions, follow, shown
    from mnist_dash.following.run import FollowedRun

    followed = FollowedRun(store, run_id)
    try:
        with counting_interruptions() as interruptions, shown(quiet=quiet) as show:
            follow(followed, show=show, interruptions=interruptions)
    except MnistDashError as error:
        print(f"{as_typed(str(error))}\nRun {run_id} stays in the queue.", file=sys.stderr)
        return None
    if not followed.has_ended:
        print(
            f"Run {run_id} is still running. See it with `{program()} show {run_id}`.",
            file=sys.stderr,
        )
        raise KeyboardInterrupt
    return followed.run


def _read(name: str) -> str:
    try:
        content = (
            sys.stdin.buffer.read(MAX_CONFIG_BYTES + 1) if name == "-" else _read_file(Path(name))
        )
        text = content.decode()
    except OSError as error:
        raise InvalidInput(
            f"--config: {name!r} cannot be read ({error.strerror}). Give the path of a JSON file, or - to read it from standard input."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"--config: {name!r} is not text (allowed is JSON in UTF-8). Give another file."
        ) from error
    if len(content) > MAX_CONFIG_BYTES:
        raise InvalidInput(
            f"--config: {name!r} is too large (at most {MAX_CONFIG_BYTES:,} bytes). Give another file."
        )
    return text


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_CONFIG_BYTES + 1)


def _change(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InvalidInput(f"--set: {text!r} is not KEY=VALUE. Type --set epochs=8, for example.")
    return key.strip(), value.strip()


def _sentences(run: Run) -> str:
    lines = [f"Run {run.id} {run.state}{f': {run.reason}' if run.reason else '.'}"]
    if run.test_accuracy is not None:
        lines.append(
            f"Test accuracy {percent(run.test_accuracy)}, test loss {number(run.test_loss)}."
        )
    lines.append(
        f"{run.n_parameters:,} parameters, {plural(run.epoch, 'epoch')}, "
        f"{duration(run.seconds_training)} of training on {run.device or 'no device'}."
    )
    lines.append(f"More: {program()} show {run.id}")
    return "\n".join(lines)
