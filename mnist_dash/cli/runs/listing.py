"""`runs`, `show` and `presets`: what there is, as tables for people and JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mnist_dash.cli.command import as_typed, program
from mnist_dash.cli.formatting import json_line, table
from mnist_dash.cli.store_opening import opened
from mnist_dash.core.config import nested
from mnist_dash.core.config.experiments import Published
from mnist_dash.core.config.presets import PRESETS, preset
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import format_shape
from mnist_dash.errors import InvalidInput
from mnist_dash.formatting import NOTHING, duration, moment, number, percent, percent_range
from mnist_dash.text import did_you_mean, listed

if TYPE_CHECKING:
    from mnist_dash.runs.query.catalog import Listed, Order
    from mnist_dash.runs.store.records import Run
    from mnist_dash.runs.store.run_store import Store
    from mnist_dash.runs.store.states import RunState

N_NAMED = 3
"""Runs that are named in a sentence about several."""


def runs(*, limit: int, states: Sequence[str], where: str, sort: str | None, as_json: bool) -> int:
    """List runs, newest first or in the asked order."""
    from mnist_dash.runs.query import catalog
    from mnist_dash.runs.query.language import parse

    query = parse(where)
    order = _order(sort)
    scope = catalog.Scope(query, _states(states))
    with opened() as store:
        found = catalog.page(store, scope, order=order, limit=limit)
        n_all = catalog.count(store, scope)
        waits = _waits(store, [each.run for each in found])
    if as_json:
        for each in found:
            print(
                json_line(
                    run_values(each.run)
                    | annotation_values(each)
                    | {"waits_for": waits.get(each.run.id)}
                )
            )
    elif found:
        print(_runs_table(tuple(each.run for each in found)))
        for sentence in dict.fromkeys(waits.values()):
            waiting = [run_id for run_id, said in waits.items() if said == sentence]
            print(
                f"{listed(waiting[:N_NAMED], last='and')}{' and others' * (len(waiting) > N_NAMED)}: {as_typed(sentence)}",
                file=sys.stderr,
            )
        if n_all > len(found):
            print(
                f"{len(found):,} of {n_all:,} runs. List all with --limit {n_all}.", file=sys.stderr
            )
    elif query.root is not None:
        print("No run matches the query.")
    else:
        print(
            f"No runs yet. Train one with `{program()} train`."
            if scope.states is None
            else "No run is in this state."
        )
    return 0


def show(run: str, *, as_json: bool) -> int:
    """Show one run."""
    with opened() as store:
        found = store.run(run)
        epochs = store.history(found.id).epochs
        waits = _waits(store, [found])
    if as_json:
        history = json.loads(epochs.to_json(orient="records", double_precision=15))
        print(
            json_line(
                run_values(found)
                | {
                    "waits_for": waits.get(found.id),
                    "config": found.config.model_dump(mode="json"),
                    "history": history,
                }
            )
        )
        return 0
    print(_summary(found))
    for sentence in waits.values():
        print(as_typed(sentence))
    if len(epochs):
        rows = (
            (
                str(row.epoch),
                number(row.train_loss),
                percent(row.train_accuracy),
                number(row.val_loss),
                percent(row.val_accuracy),
                number(row.seconds_training),
            )
            for row in epochs.itertuples()
        )
        headings = (
            "epoch",
            "training loss",
            "training accuracy",
            "validation loss",
            "validation accuracy",
            "s/epoch",
        )
        print("\n" + table(headings, rows, right=headings))
    print("\n" + _network(found.config))
    print("\n" + "\n".join(f"{path} = {value}" for path, value in _settings(found.config)))
    return 0


def presets(name: str | None, *, as_json: bool) -> int:
    """List the presets, or print one's configuration."""
    if name is not None:
        print(json.dumps(preset(name).config.model_dump(mode="json"), indent=2))
        return 0
    if as_json:
        for ready in PRESETS.values():
            values = {
                "preset": ready.name,
                "title": ready.title,
                "parameters": ready.config.n_parameters,
                "epochs": ready.config.epochs,
            }
            print(
                json_line(
                    values
                    | {"published": None if ready.published is None else asdict(ready.published)}
                )
            )
        return 0
    rows = (
        (
            r.name,
            f"{r.config.n_parameters:,}",
            str(r.config.epochs),
            _published(r.published),
            r.title,
        )
        for r in PRESETS.values()
    )
    headings = ("preset", "parameters", "epochs", "published accuracy", "title")
    print(table(headings, rows, right=headings[1:-1]))
    return 0


def run_values(run: Run) -> dict[str, Any]:
    """Give a run's own values for JSON; accuracies as fractions, times in ISO 8601 (UTC), seconds of training and evaluation apart."""
    return {
        "run": run.id,
        "state": run.state.value,
        "reason": run.reason,
        "preset": run.preset,
        "parameters": run.n_parameters,
        "epochs": run.epoch,
        "epochs_planned": run.config.epochs,
        "progress": round(run.progress, 4),
        "best_val_accuracy": run.best_val_accuracy,
        "best_epoch": run.best_epoch,
        "test_accuracy": run.test_accuracy,
        "test_loss": run.test_loss,
        "seconds": round(run.seconds_training, 3),
        "seconds_evaluation": round(run.seconds_evaluation, 3),
        "device": run.device,
        "precision": run.precision,
        "attempt": run.attempt,
        "worker": run.worker,
        "config_hash": run.config_hash,
        "created_at": run.created_at.isoformat(),
        "started_at": None if run.started_at is None else run.started_at.isoformat(),
        "ended_at": None if run.ended_at is None else run.ended_at.isoformat(),
    }


def _waits(store: Store, found: Sequence[Run]) -> dict[str, str]:
    """Say for which queued runs no living worker can be found, and why; those that will start by themselves are left out."""
    from mnist_dash.runs.store.hosts import blocked
    from mnist_dash.runs.store.states import RunState

    queued = {run.id for run in found if run.state is RunState.QUEUED}
    return (
        {run_id: sentence for run_id, sentence in blocked(store).items() if run_id in queued}
        if queued
        else {}
    )


def annotation_values(listed: Listed) -> dict[str, Any]:
    """Give what people have written on a run, and the last of its validation accuracies, for JSON."""
    run = listed.run
    return {
        "last_val_accuracy": run.last_val_accuracy,
        "name": run.name,
        "tags": list(listed.tags),
        "starred": run.starred,
        "archived": run.archived_at is not None,
        "notes": run.notes,
        "owner": run.owner,
        "studies": list(listed.studies),
    }


def _order(sort: str | None) -> Order:
    """Read `--sort FIELD`: the largest first, with a dash before the field the smallest."""
    from mnist_dash.runs.query import fields
    from mnist_dash.runs.query.catalog import Order

    if sort is None:
        return Order()
    name = sort.removeprefix("-")
    field = fields.find(name)
    if field is None:
        near = fields.similar(name)
        hint = f"Did you mean {listed(near)}?" if near else "docs/runs.md lists them all."
        raise InvalidInput(f"--sort: no such field {name!r}. {hint}")
    return Order(field, descending=not sort.startswith("-"))


def _states(names: Sequence[str]) -> tuple[RunState, ...] | None:
    from mnist_dash.runs.store.states import RunState

    known = [state.value for state in RunState]
    for name in names:
        if name not in known:
            raise InvalidInput(
                f"--state: no such state {name!r} ({listed(known)}). {did_you_mean(name, known)}".rstrip()
            )
    return tuple(RunState(name) for name in names) or None


def _runs_table(found: tuple[Run, ...]) -> str:
    headings = (
        "run",
        "name",
        "state",
        "created",
        "preset",
        "epochs",
        "validation accuracy",
        "test accuracy",
        "training time",
    )
    rows = (
        (
            run.id,
            run.title,
            run.state if not run.stop_requested else "stopping",
            moment(run.created_at),
            run.preset or NOTHING,
            f"{run.epoch}/{run.config.epochs}",
            percent(run.best_val_accuracy),
            percent(run.test_accuracy),
            duration(run.seconds_training),
        )
        for run in found
    )
    return table(headings, rows, right=headings[5:])


def _summary(run: Run) -> str:
    lines = [f"Run {run.id}, {run.title}: {run.state}{f'. {run.reason}' if run.reason else ''}"]
    lines += [
        f"created {_time(run.created_at)}, started {_time(run.started_at)}, ended {_time(run.ended_at)}"
    ]
    epochs = f"epoch {run.epoch} of {run.config.epochs}, {100 * run.progress:.0f} % of the steps"
    lines += [
        epochs + (f", {duration(run.seconds_left)} left" if run.seconds_left is not None else "")
    ]
    if run.best_val_accuracy is not None:
        leak = " (measured on the test set, a leak)" if run.config.leaks_test_set else ""
        lines += [
            f"best validation accuracy {percent(run.best_val_accuracy)} in epoch {run.best_epoch}{leak}"
        ]
    if run.test_accuracy is not None:
        lines += [
            f"test accuracy {percent(run.test_accuracy)}{_interval(run)}, test loss {number(run.test_loss)}"
        ]
    times = f"{duration(run.seconds_training)} of training, {duration(run.seconds_evaluation)} of evaluation"
    lines += [
        f"{times}, on {run.device or 'no device yet'}{f' in {run.precision}' if run.precision else ''}; attempt {run.attempt}"
    ]
    return "\n".join(lines)


def _time(time: datetime | None) -> str:
    return NOTHING if time is None else moment(time)


def _interval(run: Run) -> str:
    from mnist_dash.core.analysis.evaluation import wilson_interval

    if run.test_accuracy is None or not run.n_test:
        return ""
    low, high = wilson_interval(round(run.test_accuracy * run.n_test), run.n_test)
    return f" (95 % interval {percent_range(low, high)})"


def _network(config: RunConfig) -> str:
    rows = (
        (
            planned.name,
            planned.summary,
            format_shape(planned.output_shape),
            f"{planned.n_parameters:,}",
        )
        for planned in config.plan
    )
    total = f"{config.n_parameters:,} parameters"
    return table(("layer", "", "output", "parameters"), rows, right=("parameters",)) + f"\n{total}"


def _settings(config: RunConfig) -> Iterator[tuple[str, str]]:
    """Give every value but the layers' with the path that ``train --set`` takes."""
    for path, value in nested.leaves(
        config.model_dump(mode="json", exclude={"layers"}), lists=False
    ):
        yield (
            path,
            "none"
            if value is None
            else str(value).lower()
            if isinstance(value, bool)
            else str(value),
        )


def _published(published: Published | None) -> str:
    return percent(None if published is None else published.test_accuracy)
