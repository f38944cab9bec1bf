"""What becomes of a drawing: the image that is made of it, what runs say it is, and what in the training data is like it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.data.idx import CLASS_NAMES, read_images, read_labels
from mnist_dash.core.data.similarity import Gallery, hang, nearest
from mnist_dash.errors import ArtifactError, DataError, UnknownRun
from mnist_dash.figures.run.activations import draw_probabilities
from mnist_dash.runs.query import recognizers
from mnist_dash.runs.store.records import Run
from mnist_dash.ui.app.addresses import refuse_choice
from mnist_dash.ui.app.navigation import DATA, TRAIN, go_to, run_link
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.components.trained_network import trained_network
from mnist_dash.ui.elements.digit_grid import Tile, digit_grid
from mnist_dash.ui.elements.live_plot import live_plot

Image = npt.NDArray[np.uint8]
N_NEAREST = 10
N_OFFERED = 50
N_BEST = 3
_RUN_KEY = "draw_run"
_ONE, _BEST = "one run", "best three"


def chosen_runs() -> tuple[Run, ...]:
    """Offer the runs that can recognise a digit, and return those that were chosen, none when there is none."""
    offered = recognizers.newest(store(), limit=N_OFFERED)
    wanted = _wanted_run()
    if wanted is not None and wanted.id not in {run.id for run in offered}:
        offered = (wanted, *offered)
    if not offered:
        with st.container(border=True):
            st.markdown("**No trained network yet.** A finished run can classify what you draw.")
            st.page_link(TRAIN, label="Train a network", icon=":material/model_training:")
        return ()
    refuse_choice("by", (_ONE, _BEST), what="The choice of models")
    by = st.segmented_control(
        "Model", (_ONE, _BEST), default=_ONE, required=True, key="by", bind="query-params"
    )
    if by == _BEST:
        return recognizers.best(store(), limit=N_BEST)
    by_id = {run.id: run for run in offered}
    if st.session_state.get(_RUN_KEY) not in by_id:
        st.session_state[_RUN_KEY] = offered[0].id if wanted is None else wanted.id
    with st.container(horizontal=True, vertical_alignment="center"):
        chosen = st.selectbox(
            "Run",
            list(by_id),
            format_func=lambda run_id: _named(by_id[run_id]),
            key=_RUN_KEY,
            on_change=_remember_run,
            label_visibility="collapsed",
        )
        run_link(chosen, "Open")
    return (by_id[chosen],)


def recognition(image: Image, runs: Sequence[Run]) -> None:
    """Draw what each run predicts for an image."""
    with st.grid(max(1, len(runs)), min_column_width=220):
        for run in runs:
            with st.container(key=f"draw_answer_{run.id}"):
                if len(runs) > 1:
                    run_link(run.id, formatting.plain(run.title))
                _answer(image, run)


def likest(image: Image) -> None:
    """Draw the training digits that are most like an image, pixel by pixel."""
    refuse_choice("distance", ("cosine", "euclidean"), what="The distance")
    distance = st.segmented_control(
        "Distance",
        ("cosine", "euclidean"),
        default="cosine",
        required=True,
        key="distance",
        bind="query-params",
        label_visibility="collapsed",
    )
    data_dir = store().settings.data_dir
    indices, distances = nearest(
        _gallery(data_dir),
        image,
        n=N_NEAREST,
        distance="euclidean" if distance == "euclidean" else "cosine",
    )
    labels = read_labels("mnist", "train", data_dir)[indices]
    (common, count) = Counter(labels.tolist()).most_common(1)[0]
    meaning = (
        "one minus the cosine of the angle between them"
        if distance == "cosine"
        else "Euclidean, in units of full ink"
    )
    st.caption(
        f"{count} of the {N_NEAREST} nearest training images are labelled {common}. The distance is {meaning}."
    )
    clicked = digit_grid(
        read_images("mnist", "train", data_dir)[indices],
        [
            Tile(
                int(index),
                f"training image {index:,}, labelled {label}, distance {value:.3f}",
                title=str(label),
                note=f"{value:.3f}",
            )
            for index, label, value in zip(indices, labels, distances, strict=True)
        ],
        key="draw_nearest",
        class_names=CLASS_NAMES["mnist"],
        size=56,
    )
    if clicked is not None:
        go_to(DATA, {"index": str(clicked), "page": str(clicked // 200 + 1)})


def predict(run: Run, images: Image) -> npt.NDArray[np.float32]:
    """Compute a run's probabilities of images ``(B, 28, 28)``, ``(B, 10)``.

    Raises:
        ArtifactError: its weights were not kept, or are damaged.
        DataError: the data that its scaling is fitted to are missing or damaged.
    """
    return trained_network(run).predictor.probabilities(images)


def _answer(image: Image, run: Run) -> None:
    try:
        shares = predict(run, image[None])[0]
    except (ArtifactError, DataError) as error:
        st.error(str(error), icon=":material/error:")
        return
    names = CLASS_NAMES[run.config.dataset]
    first, second = (int(index) for index in np.argsort(-shares)[:2])
    st.metric(
        "Prediction",
        names[first],
        f"{formatting.percent(float(shares[first]))}; next {names[second]}, {formatting.percent(float(shares[second]))}",
        delta_color="off",
        delta_arrow="off",
    )
    live_plot(
        str(draw_probabilities(shares.tolist(), names, true=None).to_json()),
        key=f"draw_probabilities_{run.id}",
        alt=f"Probabilities of the ten classes; {names[first]} has {formatting.percent(float(shares[first]))}",
        height=190,
    )


def _wanted_run() -> Run | None:
    """Look up the run that the address names."""
    run_id = st.query_params.get("run", "").strip()
    if not run_id:
        return None
    try:
        return store().run(run_id)
    except UnknownRun as error:
        st.error(str(error), icon=":material/error:")
        return None


def _remember_run() -> None:
    st.query_params["run"] = st.session_state[_RUN_KEY]


def _named(run: Run) -> str:
    accuracy = "" if run.test_accuracy is None else f"{formatting.percent(run.test_accuracy)} · "
    return f"{accuracy}{run.title}"


@st.cache_resource(show_spinner="Reading the training images …")
def _gallery(data_dir: Path) -> Gallery:
    return hang(read_images("mnist", "train", data_dir))
