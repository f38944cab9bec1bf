"""`reproduce`: train published experiments and hold them against their published numbers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mnist_dash.cli.command import program
from mnist_dash.cli.formatting import json_line, table
from mnist_dash.cli.store_opening import opened
from mnist_dash.core.config.presets import preset
from mnist_dash.core.config.published import EXPERIMENTS
from mnist_dash.errors import InvalidInput, MnistDashError
from mnist_dash.formatting import NOTHING, number, percent

if TYPE_CHECKING:
    from mnist_dash.runs.query.reproduction import Point
    from mnist_dash.runs.store.records import Run
    from mnist_dash.runs.store.run_store import Store


def reproduce(
    *, names: Sequence[str], epochs_scale: float, seed: int, seeds: int, again: bool, as_json: bool
) -> int:
    """Train what was named and return the exit code."""
    from mnist_dash.runs.query.reproduction import points

    chosen = [preset(name) for name in names] or list(EXPERIMENTS)
    unpublished = next((ready.name for ready in chosen if ready.published is None), None)
    if unpublished is not None:
        raise InvalidInput(
            f"Preset {unpublished!r} has no published result to compare with. "
            f"Train it with `{program()} train --preset {unpublished}`; `{program()} presets` lists those that have one."
        )
    with opened() as store:
        wanted = [
            _scaled(point, epochs_scale, each)
            for point in points(chosen)
            for each in range(seed, seed + seeds)
        ]
        ended = _train_all(store, wanted, as_json=as_json, again=again)
    if not as_json:
        print(_table(ended))
    if len(ended) < len(wanted):
        raise KeyboardInterrupt
    return 0 if all(run.state.value == "finished" for _, run in ended) else 1


def _scaled(point: Point, scale: float, seed: int) -> Point:
    from dataclasses import replace

    epochs = max(1, round(point.config.epochs * scale))
    return replace(point, config=point.config.model_copy(update={"epochs": epochs, "seed": seed}))


def _train_all(
    store: Store, wanted: list[Point], *, as_json: bool, again: bool
) -> list[tuple[Point, Run]]:
    """Queue all runs at once, so that every worker has its share, and follow one after the other; fewer where somebody interrupted."""
    from mnist_dash.core.config.presets import name_of
    from mnist_dash.following.follow import counting_interruptions, follow, shown
    from mnist_dash.following.run import FollowedRun
    from mnist_dash.runs.actions import run_actions

    run_ids = []
    for point in wanted:
        same = None if again else store.find_same(point.config)
        run_ids.append(
            same.id
            if same
            else run_actions.submit(
                store, point.config, preset=name_of(point.config, first=point.preset.name)
            )
        )
    ended: list[tuple[Point, Run]] = []
    with counting_interruptions() as interruptions:
        for index, (point, run_id) in enumerate(zip(wanted, run_ids, strict=True), 1):
            if not as_json:
                print(
                    f"{index} of {len(wanted)}: {point.label}, seed {point.config.seed}, run {run_id}",
                    file=sys.stderr,
                )
            followed = FollowedRun(store, run_id)
            with shown(quiet=as_json) as show:
                follow(followed, show=show, interruptions=interruptions)
            if interruptions.count:
                _stop_rest(store, run_ids[index:])
                return ended
            ended.append((point, followed.run))
            if as_json:
                print(json_line(result(point, followed.run)), flush=True)
    return ended


def _stop_rest(store: Store, run_ids: list[str]) -> None:
    from mnist_dash.runs.actions import run_actions

    for run_id in run_ids:
        try:
            run_actions.stop(store, run_id)
        except MnistDashError:
            continue  # it had ended already


def result(point: Point, run: Run) -> dict[str, Any]:
    """Give a run beside what was published, as one object."""
    published = point.preset.published
    assert published is not None
    return {
        "preset": point.preset.name,
        "parameters": run.n_parameters,
        "published_parameters": published.n_parameters,
        "test_accuracy": run.test_accuracy,
        "published_test_accuracy": published.test_accuracy,
        "test_loss": run.test_loss,
        "published_test_loss": published.test_loss,
        "epochs": run.epoch,
        "seconds_per_epoch": round(run.seconds_training / run.epoch, 3) if run.epoch else None,
        "seed": run.config.seed,
        "state": run.state.value,
        "run": run.id,
        "point": point.value,
    }


def _table(ended: list[tuple[Point, Run]]) -> str:
    headings = (
        "experiment",
        "seed",
        "parameters",
        "published",
        "accuracy",
        "published ",
        "loss",
        "published  ",
        "epochs",
        "s/epoch",
        "run",
    )
    rows = []
    for point, run in ended:
        values = result(point, run)
        rows.append(
            (
                point.label,
                str(values["seed"]),
                f"{values['parameters']:,}",
                NOTHING
                if values["published_parameters"] is None
                else f"{values['published_parameters']:,}",
                percent(values["test_accuracy"]),
                percent(values["published_test_accuracy"]),
                number(values["test_loss"]),
                number(values["published_test_loss"]),
                str(values["epochs"]),
                number(values["seconds_per_epoch"]),
                run.id,
            )
        )
    return table(headings, rows, right=headings[1:-1])
