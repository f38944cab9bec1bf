"""One published experiment: its curve and ours, confusion matrices side by side, and the button that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.experiments import Preset
from mnist_dash.core.data.idx import CLASS_NAMES
from mnist_dash.errors import ArtifactError, DataError, MnistDashError
from mnist_dash.figures.base.confusion import draw_confusion
from mnist_dash.figures.base.curves import Metric
from mnist_dash.figures.compare.reproduction import draw_reproduction, draw_sweep
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.query.reproduction import MIN_SEEDS, Comparison
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.states import RunState
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import TRAIN, open_run, run_link
from mnist_dash.ui.app.resources import history, store
from mnist_dash.ui.app.visitor import may_edit
from mnist_dash.ui.components.evaluation_summary import summary
from mnist_dash.ui.components.run_evaluation import evaluated
from mnist_dash.ui.elements.live_plot import live_plot
from mnist_dash.ui.pages.published.table import describe

MAX_QUEUED = 200


def detail(compared: Sequence[Comparison]) -> None:
    """Draw one experiment, all its points."""
    preset = compared[0].point.preset
    st.subheader(preset.title)
    describe(preset)
    _buttons(compared)
    if preset.grid is not None:
        _sweep(preset, compared)
    else:
        _figures(compared[0])
        _curves(compared[0])
        _matrices(compared[0])
    _runs([run for each in compared for run in each.runs])


def _buttons(compared: Sequence[Comparison]) -> None:
    preset = compared[0].point.preset
    several = "all values" if preset.grid is not None else "this experiment"
    with st.container(horizontal=True, vertical_alignment="center"):
        if may_edit():
            now, seeds = f"Run {several}", f"Run {plural(MIN_SEEDS, 'seed')}"
            st.button(
                now,
                key="published_run",
                type="primary",
                icon=":material/play_arrow:",
                on_click=_submit,
                args=(compared, 1),
            )
            st.button(
                seeds,
                key="published_seeds",
                icon=":material/casino:",
                on_click=_submit,
                args=(compared, MIN_SEEDS),
            )
        st.page_link(
            TRAIN,
            label="Clone and edit",
            icon=":material/edit:",
            query_params={"preset": preset.name},
        )
    live = [
        run
        for run in store().runs(states=[RunState.QUEUED, RunState.RUNNING], limit=MAX_QUEUED)
        if run.preset == preset.name
    ]
    for run in live[:5]:
        with st.container(horizontal=True, vertical_alignment="center"):
            run_link(
                run.id,
                f"{formatting.plain(run.title)}, seed {run.config.seed}: {run.state}, epoch {run.epoch} of {run.config.epochs}",
            )
    if len(live) > 5:
        st.caption(f"{len(live) - 5} more are queued or running.")


def _submit(compared: Sequence[Comparison], n_seeds: int) -> None:
    """Queue runs with seeds that are not there yet; open the run where it is only one."""
    taken = {run.config.seed for each in compared for run in each.runs}
    live = store().runs(states=[RunState.QUEUED, RunState.RUNNING], limit=MAX_QUEUED)
    preset = compared[0].point.preset
    taken |= {run.config.seed for run in live if run.preset == preset.name}
    seeds = [seed for seed in range(len(taken) + n_seeds) if seed not in taken][:n_seeds]
    try:
        run_ids = [
            run_actions.submit(
                store(), each.point.config.model_copy(update={"seed": seed}), preset=preset.name
            )
            for seed in seeds
            for each in compared
        ]
    except MnistDashError as error:
        st.toast(str(error), icon=":material/error:")
        return
    if len(run_ids) == 1:
        open_run(run_ids[0])
    else:
        st.toast(f"{plural(len(run_ids), 'run')} queued.", icon=":material/queue:")


def _figures(compared: Comparison) -> None:
    published = compared.point.preset.published
    assert published is not None
    interval = compared.interval
    with st.grid(4, min_column_width=150):
        st.metric(
            "Test accuracy",
            formatting.percent(compared.test_accuracy),
            f"published {formatting.percent(published.test_accuracy)}"
            if published.test_accuracy
            else "not published",
            delta_color="off",
            delta_arrow="off",
            border=True,
        )
        loss = compared.test_loss
        st.metric(
            "Test loss",
            formatting.number(loss),
            "not published"
            if published.test_loss is None
            else f"published {formatting.exact(published.test_loss)}",
            delta_color="off",
            delta_arrow="off",
            border=True,
        )
        st.metric(
            "Verdict",
            compared.verdict,
            f"of {plural(len(compared.runs), 'seed')}"
            if interval is None
            else f"95 % of seeds: {formatting.percent_range(*interval)}",
            delta_color="off",
            delta_arrow="off",
            border=True,
            help=(
                f"With {plural(MIN_SEEDS, 'seed')} or more: the range in which 95 "
                "of 100 further runs would lie. The published run is one of them."
            ),
        )
        seconds = published.seconds_per_epoch
        st.metric(
            "Time per epoch",
            formatting.duration(compared.seconds_per_epoch),
            "not published" if seconds is None else f"published {seconds[0]:g} to {seconds[1]:g} s",
            delta_color="off",
            delta_arrow="off",
            border=True,
        )
    if published.stopped_at_epoch is not None and compared.runs:
        stopped = ", ".join(str(run.epoch) for run in compared.runs)
        st.caption(
            f"Early stopping ended the published run after epoch {published.stopped_at_epoch}, ours after {stopped}."
        )


def _curves(compared: Comparison) -> None:
    published = compared.point.preset.published
    assert published is not None
    histories = [history(run.id, run.revision).epochs for run in compared.runs]
    for column, metric in zip(st.columns(2), get_args(Metric), strict=True):
        with column:
            st.markdown(f"**{metric.capitalize()}**")
            figure = draw_reproduction(
                {
                    "training average": (
                        getattr(published, f"train_{metric}"),
                        _column(histories, "running", metric),
                    ),
                    "validation": (
                        getattr(published, f"val_{metric}"),
                        _column(histories, "val", metric),
                    ),
                },
                metric=metric,
            )
            name = compared.point.preset.name
            live_plot(
                str(figure.to_json()),
                key=f"published_{name}_{metric}",
                alt=f"Published {metric} of {name} and ours, by epoch",
                height=330,
            )


def _column(histories: Sequence[object], part: str, metric: Metric) -> list[list[float]]:
    return [epochs[f"{part}_{metric}"].tolist() for epochs in histories if len(epochs)]  # type: ignore[index,arg-type]


def _matrices(compared: Comparison) -> None:
    published = compared.point.preset.published
    assert published is not None
    own = compared.runs[0] if compared.runs else None
    if not published.confusion and own is None:
        return
    names = CLASS_NAMES[compared.point.config.dataset]
    left, right = st.columns(2)
    with left:
        st.markdown("**Published confusion matrix**")
        if published.confusion:
            figure = draw_confusion(published.confusion, names)
            live_plot(
                str(figure.to_json()),
                key="published_confusion",
                alt="Published confusion matrix",
                height=420,
            )
        else:
            st.caption("The report has no confusion matrix.")
        if published.mainly_confused:
            st.caption(
                "Most confused pairs according to the report: "
                f"{', '.join(pair.replace('->', ' as ') for pair in published.mainly_confused)}."
            )
    with right:
        st.markdown("**Our confusion matrix**")
        if own is None:
            st.caption("Run this experiment to see our matrix.")
            return
        try:
            figure = draw_confusion(np.asarray(summary(evaluated(own)).confusion).tolist(), names)
        except (ArtifactError, DataError) as error:
            st.error(str(error), icon=":material/error:")
            return
        live_plot(
            str(figure.to_json()), key="own_confusion", alt="Our confusion matrix", height=420
        )
        st.caption(f"{formatting.plain(own.title)}, seed {own.config.seed}.")


def _sweep(preset: Preset, compared: Sequence[Comparison]) -> None:
    assert preset.grid is not None
    accuracies = {
        "test": [each.test_accuracy for each in compared],
        "validation": [_last_validation(each.runs) for each in compared],
    }
    figure = draw_sweep(
        preset.grid.path, [float(value) for value in preset.grid.values], accuracies
    )
    live_plot(
        str(figure.to_json()),
        key=f"published_{preset.name}",
        alt=f"Accuracy by {preset.grid.path}",
        height=360,
    )
    st.caption("Every value is a separate run with new weights, or the mean over several seeds.")


def _last_validation(runs: Sequence[Run]) -> float | None:
    known = [run.last_val_accuracy for run in runs if run.last_val_accuracy is not None]
    return sum(known) / len(known) if known else None


def _runs(runs: Sequence[Run]) -> None:
    if not runs:
        return
    st.markdown("**Our runs**")
    with st.container(horizontal=True):
        for run in runs[:12]:
            run_link(
                run.id,
                f"{formatting.plain(run.title)}: {formatting.percent(run.test_accuracy)}, seed {run.config.seed}",
            )
