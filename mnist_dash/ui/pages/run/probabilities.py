"""What the probabilities of all images say: one digit against the rest with a threshold, margins, calibration, accuracy by class."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.analysis.calibration_curve import CalibrationCurve, calibration_curve
from mnist_dash.core.analysis.evaluation import class_accuracies, ranked_images, top_two_margins
from mnist_dash.core.analysis.thresholds import (
    USUAL_THRESHOLD,
    histogram,
    threshold_figures,
    threshold_images,
)
from mnist_dash.core.config.run_config import N_CLASSES
from mnist_dash.errors import ArtifactError, DataError
from mnist_dash.figures.run.calibration_curve import draw_calibration
from mnist_dash.figures.run.class_accuracy import draw_class_accuracies
from mnist_dash.figures.run.probability_histogram import Bars, draw_histogram
from mnist_dash.glossary import help_for
from mnist_dash.runs.store.records import Run
from mnist_dash.text import plural
from mnist_dash.ui.app.addresses import refuse_choice
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import error_sentence
from mnist_dash.ui.components.run_evaluation import Evaluated, evaluated, sources
from mnist_dash.ui.components.selected_images import draw_grid, sentence
from mnist_dash.ui.components.selection import Selection
from mnist_dash.ui.elements.live_plot import live_plot

GROUPS = ("flipped", "false positives", "false negatives")
MOST_FLIPPED = 120
"""Images whose prediction a threshold changes or gets wrong, shown at most."""
_OTHERS, _DIGIT, _SELECTED = 6, 0, 1
"""Chart colours."""


def draw(run: Run, of: Evaluated, chosen: Selection) -> None:
    """Draw the sections below the worst errors."""
    st.subheader("Probability of one class")
    refuse_choice("digit", of.class_names, what="A class")
    st.fragment(_one_against_rest)(of, chosen)
    st.subheader("Confidence and calibration")
    left, right = st.columns(2, gap="large")
    with left:
        _margins(of, chosen)
    with right:
        _calibration(of)
    st.subheader("Accuracy of each class by epoch")
    _by_epoch(run, chosen)


def _one_against_rest(of: Evaluated, chosen: Selection) -> None:
    digit = st.segmented_control(
        "Digit",
        range(N_CLASSES),
        default=0,
        required=True,
        format_func=of.class_names.__getitem__,
        key="digit",
        bind="query-params",
        label_visibility="collapsed",
    )
    name = of.class_names[digit]
    left, right = st.columns([5, 4], gap="large")
    with left:
        chart = st.container()
        threshold = float(
            st.slider(
                f"Decision threshold for class {name}",
                0.0,
                1.0,
                USUAL_THRESHOLD,
                0.01,
                key="threshold",
                bind="query-params",
                help=help_for("decision threshold"),
            )
        )
        with chart:
            live_plot(
                _digit_figure(
                    of.name, digit, threshold, (chosen.true, chosen.predicted, chosen.image), of
                ),
                key="probability_chart",
                alt=f"Histogram of the probability of {name}: images of {name} and of all other classes",
                height=340,
            )
    with right:
        _threshold_figures(of, digit, threshold)
    _threshold_images(of, chosen, digit, threshold)


def _threshold_figures(of: Evaluated, digit: int, threshold: float) -> None:
    found = threshold_figures(of.labels, of.probabilities, digit, threshold)
    name = of.class_names[digit]
    support = found.true_positives + found.false_negatives
    with st.grid(2, min_column_width=120):
        for label, value, note in (
            (
                "Precision",
                formatting.percent(found.precision),
                f"of {found.true_positives + found.false_positives:,} predicted {name}",
            ),
            ("Recall", formatting.percent(found.recall), f"of {support:,} true {name}"),
            ("False positives", f"{found.false_positives:,}", f"predicted {name}, but are not"),
            ("False negatives", f"{found.false_negatives:,}", f"are {name}, not predicted so"),
        ):
            st.metric(label, value, note, delta_color="off", delta_arrow="off", border=True)


def _threshold_images(of: Evaluated, chosen: Selection, digit: int, threshold: float) -> None:
    images = threshold_images(of.labels, of.probabilities, digit, threshold)
    group = st.segmented_control(
        "Images",
        GROUPS,
        default=GROUPS[0],
        required=True,
        key="group",
        bind="query-params",
        label_visibility="collapsed",
    )
    wanted = {
        "flipped": images.flipped,
        "false positives": images.false_positives,
        "false negatives": images.false_negatives,
    }[group]
    against = f" with another prediction than at {USUAL_THRESHOLD}" if group == "flipped" else ""
    shown = f", the first {MOST_FLIPPED}" if len(wanted) > MOST_FLIPPED else ""
    if group == "flipped" and threshold == USUAL_THRESHOLD:
        st.caption(
            f"Move the threshold away from {USUAL_THRESHOLD} to see which predictions change."
        )
    else:
        st.caption(f"{plural(len(wanted), 'image')}{against}{shown}")
    if len(wanted):
        draw_grid(of, wanted[:MOST_FLIPPED], key="threshold_images", chosen=chosen)


def _margins(of: Evaluated, chosen: Selection) -> None:
    st.markdown("**Top-2 margin**")
    st.caption("The distance between the probabilities of the first and the second class.")
    live_plot(
        _margin_figure(of.name, chosen.image, of),
        key="margin_chart",
        alt="Histogram of the margin between the two most probable classes, correct and misclassified images",
        height=340,
    )


def _calibration(of: Evaluated) -> None:
    curve, figure = _calibrated(of.name, of)
    gap = curve.mean_confidence - curve.overall_accuracy
    tendency = "overconfident" if gap > 0 else "underconfident"
    st.markdown("**Calibration**")
    st.caption(
        f"Expected calibration error {formatting.percent(curve.expected_error)} (15 bins, Guo et al., 2017). The network is {tendency}: "
        f"mean confidence {formatting.percent(curve.mean_confidence)}, accuracy {formatting.percent(curve.overall_accuracy)}."
    )
    live_plot(figure, key="calibration_chart", alt="Accuracy by confidence in 15 bins", height=340)


def _by_epoch(run: Run, chosen: Selection) -> None:
    epochs = sources(run).epochs
    if not epochs:
        st.caption(
            "An older version of MNIST Dash trained this run and kept no probabilities by epoch. "
            "Rerun it to see how each class was learned."
        )
        return
    try:
        figure = _epochs_figure(
            store().settings.database_url, run.id, run.revision, chosen.true, run
        )
    except (ArtifactError, DataError) as error:
        st.error(error_sentence(error), icon=":material/error:")
        return
    st.caption(
        f"On the test set with dropout off. The selected true class is highlighted. {plural(len(epochs), 'epoch')} kept."
    )
    live_plot(
        figure, key="class_accuracy_chart", alt="Test accuracy of each class by epoch", height=360
    )


@st.cache_data(show_spinner=False, max_entries=256)
def _digit_figure(
    name: str,  # noqa: ARG001 - the cache's key
    digit: int,
    threshold: float,
    chosen: tuple[int | None, int | None, int | None],
    _of: Evaluated,
) -> str:
    values, is_digit = _of.probabilities[:, digit], _of.labels == digit
    true, predicted, image = chosen
    bars = [
        Bars("all other classes", _OTHERS, histogram(values[~is_digit])),
        Bars(f"{_of.class_names[digit]}", _DIGIT, histogram(values[is_digit])),
    ]
    if true is not None or predicted is not None:
        images = ranked_images(_of.labels, _of.probabilities, true=true, predicted=predicted)
        bars.append(
            Bars(
                sentence(_of, Selection(true, predicted), len(images)),
                _SELECTED,
                histogram(values[images]),
            )
        )
    figure = draw_histogram(
        bars,
        title=f"probability of {_of.class_names[digit]}",
        threshold=threshold,
        marked=None if image is None else float(values[image]),
    )
    return str(figure.to_json())


@st.cache_data(show_spinner=False, max_entries=64)
def _margin_figure(name: str, image: int | None, _of: Evaluated) -> str:  # noqa: ARG001 - the cache's key
    margins = top_two_margins(_of.probabilities)
    right = _of.probabilities.argmax(axis=1) == _of.labels
    bars = [
        Bars("correct", _DIGIT, histogram(margins[right])),
        Bars("misclassified", _SELECTED, histogram(margins[~right])),
    ]
    marked = None if image is None else float(margins[image])
    return str(draw_histogram(bars, title="p(first) − p(second)", marked=marked).to_json())


@st.cache_resource(show_spinner=False, max_entries=64)
def _calibrated(name: str, _of: Evaluated) -> tuple[CalibrationCurve, str]:  # noqa: ARG001 - the cache's key
    curve = calibration_curve(_of.labels, _of.probabilities)
    return curve, str(draw_calibration(curve).to_json())


@st.cache_data(show_spinner=False, max_entries=64)
def _epochs_figure(
    database_url: str,  # noqa: ARG001 - the cache's key
    run_id: str,  # noqa: ARG001 - the cache's key
    revision: int,  # noqa: ARG001 - the cache's key
    true: int | None,
    _run: Run,
) -> str:
    kept = [evaluated(_run, "test", epoch) for epoch in sources(_run).epochs]
    accuracies = np.array([class_accuracies(of.labels, of.probabilities) for of in kept])
    figure = draw_class_accuracies(
        [int(of.kept) for of in kept], accuracies.tolist(), kept[0].class_names, selected=true
    )
    return str(figure.to_json())
