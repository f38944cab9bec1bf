"""Kept drawings: a test set of a person's own, and how the runs do on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from mnist_dash.core.config.naming import network_name
from mnist_dash.core.config.run_config import N_CLASSES
from mnist_dash.core.data.drawing import Strokes, decode_strokes
from mnist_dash.core.data.idx import CLASS_NAMES
from mnist_dash.errors import ArtifactError, DataError, InvalidInput, MnistDashError
from mnist_dash.runs.actions import drawings
from mnist_dash.runs.actions.drawings import Drawing
from mnist_dash.runs.query import recognizers
from mnist_dash.runs.store.records import Run
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import open_run
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import may_edit
from mnist_dash.ui.elements.digit_grid import Tile, digit_grid
from mnist_dash.ui.pages.draw.results import predict

N_SCORED = 20
STROKES_KEY = "draw_strokes"
"""Where the page remembers what is on the canvas."""
_LABEL_KEY = "draw_label"
_SELECTED_KEY = "draw_selected"
_DELETED_KEY = "draw_deleted"
_OPEN_KEY = "draw_open_run"


def keep_bar(begin: Callable[[Strokes], None], *, empty: bool) -> None:
    """Offer to keep what is drawn as one of the ten digits.

    Args:
        begin: begins a new round on the canvas with these strokes.
        empty: whether nothing is drawn.
    """
    if not may_edit():
        return
    st.pills(
        "Save with label",
        [str(digit) for digit in range(N_CLASSES)],
        key=_LABEL_KEY,
        on_change=_keep,
        args=(begin,),
        disabled=empty,
        help="Saves the drawing with this label in your own test set and clears the canvas.",
    )


def kept_section(begin: Callable[[Strokes], None]) -> None:
    """Draw the kept drawings, what can be done with them, and how the runs score on them."""
    listed = drawings.kept(store())
    selected = next(
        (drawing for drawing in listed if drawing.id == st.session_state.get(_SELECTED_KEY)), None
    )
    if not listed:
        how = (
            "Draw a digit and choose its label under “Save with label”."
            if may_edit()
            else "No drawing is saved yet."
        )
        st.caption(f"{how} Every run is then evaluated on the saved drawings.")
    _actions(selected, begin)
    if not listed:
        return
    clicked = digit_grid(
        np.stack([drawing.image for drawing in listed]),
        [
            Tile(
                drawing.id,
                f"drawing {drawing.id}, labelled {drawing.label}",
                title=str(drawing.label),
            )
            for drawing in listed
        ],
        key="draw_kept",
        class_names=CLASS_NAMES["mnist"],
        size=56,
        selected=None if selected is None else selected.id,
    )
    if clicked is not None:
        st.session_state[_SELECTED_KEY] = (
            None if selected is not None and clicked == selected.id else clicked
        )
        st.rerun()
    _scores(listed)


def _actions(selected: Drawing | None, begin: Callable[[Strokes], None]) -> None:
    deleted = st.session_state.get(_DELETED_KEY)
    if selected is None and (deleted is None or not may_edit()):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if selected is not None:
            name = f"drawing {selected.id}, labelled {selected.label}"
            if may_edit():
                st.button(
                    f"Delete {name}",
                    key="draw_delete",
                    icon=":material/delete:",
                    on_click=_delete,
                    args=(selected.id,),
                )
            st.button(
                "Load",
                key="draw_show",
                icon=":material/draw:",
                on_click=_show,
                args=(begin, selected),
            )
        elif deleted is not None:
            st.button(
                "Undo",
                key="draw_undelete",
                icon=":material/undo:",
                on_click=_undelete,
                args=(deleted,),
            )
            st.markdown(f"Deleted drawing {deleted}.", width="stretch")


def _scores(listed: Sequence[Drawing]) -> None:
    runs = recognizers.best(store(), limit=N_SCORED)
    if not runs:
        st.caption("No finished run can classify them yet.")
        return
    labels = np.array([drawing.label for drawing in listed])
    rows, unread = [], []
    with st.spinner("Evaluating the runs …", show_time=True):
        for run in runs:
            try:
                rows.append((run, _predicted(run, listed)))
            except (ArtifactError, DataError) as error:
                unread.append(str(error))
    rows.sort(key=lambda row: (-int((row[1] == labels).sum()), -(row[0].test_accuracy or 0)))
    st.markdown(f"**Accuracy on your {plural(len(listed), 'drawing')}**")
    st.dataframe(
        pd.DataFrame([_row(run, labels, predicted) for run, predicted in rows]),
        key="draw_scores",
        hide_index=True,
        height="content",
        column_config={
            "Run": st.column_config.ButtonColumn(
                pinned=True, type="tertiary", on_click=_open, key=_OPEN_KEY, help="Opens this run."
            ),
            "On your drawings": st.column_config.NumberColumn(format="%.2f %%"),
            "On the test set": st.column_config.NumberColumn(format="%.2f %%"),
        },
        alt="Accuracy of the runs on the saved drawings, best first",
    )
    st.caption(
        f"Best first: at most {plural(N_SCORED, 'run')} with the highest test accuracy, one per configuration. "
        "So few drawings show only large differences between runs."
    )
    for sentence in unread:
        st.error(sentence, icon=":material/error:")


def _row(
    run: Run, labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]
) -> dict[str, object]:
    right = predicted == labels
    wrong = [
        f"{label} as {guess}"
        for label, guess in zip(labels[~right], predicted[~right], strict=True)
    ]
    return {
        "Run": run.id,
        "On your drawings": 100 * float(right.mean()),
        "Correct": f"{int(right.sum())} of {len(labels)}",
        "On the test set": None if run.test_accuracy is None else 100 * run.test_accuracy,
        "Network": network_name(run.config),
        "Misclassified": ", ".join(wrong[:8]) + (", …" if len(wrong) > 8 else ""),
    }


def _predicted(run: Run, listed: Sequence[Drawing]) -> npt.NDArray[np.int64]:
    images = np.stack([drawing.image for drawing in listed])
    return _classes(
        store().settings.database_url,
        run.id,
        run.revision,
        tuple(drawing.id for drawing in listed),
        _run=run,
        _images=images,
    )


@st.cache_resource(show_spinner=False, max_entries=256)
def _classes(
    _database_url: str,
    run_id: str,  # noqa: ARG001 - parts of the cache's key
    revision: int,  # noqa: ARG001
    numbers: tuple[int, ...],  # noqa: ARG001
    _run: Run,
    _images: npt.NDArray[np.uint8],
) -> npt.NDArray[np.int64]:
    classes: npt.NDArray[np.int64] = predict(_run, _images).argmax(1)
    return classes


def _keep(begin: Callable[[Strokes], None]) -> None:
    label = st.session_state[_LABEL_KEY]
    st.session_state[_LABEL_KEY] = None
    if label is None:
        return
    try:
        drawings.keep(store(), st.session_state.get(STROKES_KEY, ()), int(label))
    except MnistDashError as error:
        st.toast(str(error), icon=":material/error:")
        return
    st.session_state[_DELETED_KEY] = None
    st.toast(f"Saved with label {label}.", icon=":material/check:")
    begin(())


def _show(begin: Callable[[Strokes], None], drawing: Drawing) -> None:
    try:
        begin(decode_strokes(drawing.strokes))
    except InvalidInput as error:
        st.toast(str(error), icon=":material/error:")


def _delete(number: int) -> None:
    try:
        drawings.delete(store(), [number])
    except MnistDashError as error:
        st.toast(str(error), icon=":material/error:")
        return
    st.session_state[_SELECTED_KEY] = None
    st.session_state[_DELETED_KEY] = number


def _undelete(number: int) -> None:
    try:
        drawings.undelete(store(), [number])
    except MnistDashError as error:
        st.toast(str(error), icon=":material/error:")
        return
    st.session_state[_DELETED_KEY] = None


def _open() -> None:
    click = st.session_state.get(_OPEN_KEY)
    if click:
        open_run(click["label"])
