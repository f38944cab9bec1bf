"""What stands on a run's page when it has ended: figures, confusion, report, layers, configuration, downloads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from mnist_dash.core.idx import CLASS_NAMES, read_labels
from mnist_dash.core.script import training_script
from mnist_dash.errors import ArtifactError, DataError
from mnist_dash.figures.confusion import draw_confusion
from mnist_dash.runs import artifacts
from mnist_dash.runs.artifacts import ArtifactKind
from mnist_dash.runs.records import Run
from mnist_dash.runs.states import RunState
from mnist_dash.ui import words
from mnist_dash.ui.live_plot import live_plot
from mnist_dash.ui.resources import history, store
from mnist_dash.ui.run_layers import layer_table

if TYPE_CHECKING:
    from mnist_dash.core.evaluation import ClassRow

SURE = 0.95
"""Confidence of the interval around the test accuracy."""


@dataclass(frozen=True)
class TestResult:
    """What the stored test probabilities say."""

    __test__ = False  # not a test case, whatever pytest thinks of the name
    confusion: tuple[tuple[int, ...], ...]
    report: tuple[ClassRow, ...]
    n_right: int
    n_images: int
    interval: tuple[float, float]


def outcome(run: Run) -> None:
    """Say how the run ended, when it did not simply finish, and mark a leak."""
    if run.state in (RunState.FAILED, RunState.DIVERGED):
        kept = f" The {words.counted(run.epoch, 'epoch')} before are kept." if run.epoch else ""
        st.error(f"{run.reason or 'It ended without a reason.'}{kept}", icon=":material/error:")
    elif run.reason and run.state is not RunState.FINISHED:
        st.info(run.reason, icon=":material/info:")
    if run.config.leaks_test_set:
        st.warning(words.LEAK, icon=":material/warning:")


def results(run: Run) -> None:
    """Draw the results of an ended run."""
    if artifacts.has(store(), run.id, ArtifactKind.TEST_PROBABILITIES):
        _test_section(run)
    else:
        st.caption("The test set was not evaluated: the run ended before its first epoch did, or it diverged.")
    st.subheader("Layers")
    layer_table(run)
    st.subheader("Downloads")
    _downloads(run)
    with st.expander("Show the configuration", icon=":material/data_object:"):
        st.code(run.config.model_dump_json(indent=2), language="json")


def _test_section(run: Run) -> None:
    st.subheader("On the test set")
    try:
        result = test_result(run)
    except (ArtifactError, DataError) as error:
        st.error(str(error), icon=":material/error:")
        return
    accuracy = result.n_right / result.n_images
    low, high = result.interval
    with st.grid(3, min_column_width=210):
        interval = f"95 % interval {100 * low:.2f} – {words.percent(high)}"
        st.metric(
            "Test accuracy",
            words.percent(accuracy),
            interval,
            delta_color="off",
            delta_arrow="off",
            border=True,
            help=f"Wilson's score interval of {result.n_right:,} right out of {result.n_images:,}",
        )
        wrong = result.n_images - result.n_right
        st.metric("Wrong", f"{wrong:,}", f"of {result.n_images:,} images", delta_color="off", delta_arrow="off", border=True)
        st.metric(
            "Test loss",
            words.NOTHING if run.test_loss is None else f"{run.test_loss:.4f}",
            "cross-entropy, nats",
            delta_color="off",
            delta_arrow="off",
            border=True,
        )
    left, right = st.columns([6, 5], gap="large")
    with left:
        _confusion(run, result)
    with right:
        _report(run, result)


def test_result(run: Run) -> TestResult:
    """Evaluate the stored test probabilities, once for all sessions.

    Raises:
        ArtifactError: they are missing or damaged.
        DataError: the labels of the test set are.
    """
    return _evaluate(store().settings.database_url, run.id, run.revision, run.config.dataset)


@st.cache_resource(show_spinner=False, max_entries=64)
def _evaluate(_database_url: str, run_id: str, revision: int, dataset: str) -> TestResult:  # noqa: ARG001 - the revision is part of the cache's key
    from mnist_dash.core.evaluation import classification_report, confusion_matrix, wilson_interval  # scikit-learn takes half a second

    probabilities = artifacts.read_probabilities(store(), run_id, ArtifactKind.TEST_PROBABILITIES)
    labels = read_labels(dataset, "test", store().settings.data_dir)
    confusion = confusion_matrix(labels, probabilities)
    n_right = int(confusion.trace())
    return TestResult(
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        report=classification_report(labels, probabilities),
        n_right=n_right,
        n_images=len(labels),
        interval=wilson_interval(n_right, len(labels), SURE),
    )


def _confusion(run: Run, result: TestResult) -> None:
    st.markdown("**Confusion matrix**")
    st.caption(f"{result.n_images:,} test images: true class downwards, predicted class across.")
    figure = draw_confusion(result.confusion, CLASS_NAMES[run.config.dataset])
    live_plot(
        str(figure.to_json()),
        key="run_confusion_chart",
        alt=f"Confusion matrix of run {run.id} on {result.n_images:,} test images",
        height=460,
    )


def _report(run: Run, result: TestResult) -> None:
    st.markdown("**Classification report**")
    st.caption("Precision: share of right ones among those called so. Recall: share of a class that was found.")
    names = CLASS_NAMES[run.config.dataset]
    rows = [(name, row.precision, row.recall, row.f1, row.support) for name, row in zip(names, result.report, strict=False)]
    fraction = st.column_config.NumberColumn(format="%.4f")
    st.dataframe(
        pd.DataFrame(rows, columns=["Class", "Precision", "Recall", "F1", "Images"]),
        hide_index=True,
        height="content",
        column_config={"Precision": fraction, "Recall": fraction, "F1": fraction},
        alt=f"Classification report of run {run.id}, one row a class",
    )


def _downloads(run: Run) -> None:
    past = history(run.id, run.revision)
    has_weights = artifacts.has(store(), run.id, ArtifactKind.WEIGHTS)
    with st.container(horizontal=True):
        st.download_button(
            "Weights",
            lambda: artifacts.read(store(), run.id, ArtifactKind.WEIGHTS),
            file_name=f"{run.id}.safetensors",
            mime="application/octet-stream",
            key="run_weights",
            icon=":material/download:",
            on_click="ignore",
            disabled=not has_weights,
            help="safetensors, for a plain torch.nn.Sequential" if has_weights else "This run has left no weights",
        )
        for label, content, name, mime in (
            ("History by epoch", past.epochs.to_csv(index=False), f"{run.id}-epochs.csv", "text/csv"),
            ("History by step", past.steps.to_csv(index=False), f"{run.id}-steps.csv", "text/csv"),
            ("Configuration", run.config.model_dump_json(indent=2), f"{run.id}.json", "application/json"),
            ("Training script", training_script(run.config), f"train_{run.id}.py", "text/x-python"),
        ):
            st.download_button(label, content, file_name=name, mime=mime, key=f"run_{name}", icon=":material/download:", on_click="ignore")
