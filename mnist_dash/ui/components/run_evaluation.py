"""Which images of a run are looked at, and after which epoch: chosen once for all figures, kept in the page's address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import streamlit as st

from mnist_dash.core.analysis.evaluation import Labels, Probabilities
from mnist_dash.core.config.run_config import DatasetName, RunConfig
from mnist_dash.core.data.idx import CLASS_NAMES, read_images, read_labels
from mnist_dash.core.data.splits import validation_indices
from mnist_dash.errors import ArtifactError, DataError, InvalidInput
from mnist_dash.runs.store import artifacts, events
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.events import EventKind
from mnist_dash.runs.store.records import Run
from mnist_dash.ui.app.addresses import refuse_choice
from mnist_dash.ui.app.navigation import TRAIN
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import error_sentence
from mnist_dash.ui.components import selection
from mnist_dash.ui.components.selection import Selection

Part = Literal["test", "validation"]
PARTS: tuple[Part, ...] = get_args(Part)
_FINAL_KINDS = (ArtifactKind.TEST_PROBABILITIES, ArtifactKind.VALIDATION_PROBABILITIES)
FINAL = "final"
"""What the run ended with, as opposed to an epoch on the way."""


@dataclass(frozen=True)
class Evaluated:
    """Labels and probabilities of one part of a run's data set.

    Attributes:
        run_id: the run.
        part: which images.
        kept: ``final``, or the epoch after which the probabilities were taken, as text.
        dataset: the run's data set.
        labels: ``(N,)``.
        probabilities: ``(N, 10)``.
        indices: of the images within their archive; None when they are the whole of it.
        data_dir: the folder of data sets.
        name: differs wherever the probabilities do; names what is cached of them.
    """

    run_id: str
    part: Part
    kept: str
    dataset: DatasetName
    labels: Labels
    probabilities: Probabilities
    indices: npt.NDArray[np.int64] | None
    data_dir: Path
    name: str

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the labels stand for."""
        return CLASS_NAMES[self.dataset]

    def images(self, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Read some images, ``(n, 28, 28)``."""
        archive = read_images(
            self.dataset, "test" if self.part == "test" else "train", self.data_dir
        )
        return archive[chosen if self.indices is None else self.indices[chosen]]


@dataclass(frozen=True)
class Sources:
    """What probabilities a run has left."""

    parts: tuple[Part, ...]
    """Those with final probabilities."""
    epochs: tuple[str, ...]
    """Epochs whose test probabilities were kept, ascending."""

    def kept(self, part: Part) -> tuple[str, ...]:
        """List what can be looked at of a part."""
        return ((FINAL,) if part in self.parts else ()) + (self.epochs if part == "test" else ())


def choose(run: Run) -> Evaluated | None:
    """Offer the images and the epoch, and evaluate what was chosen; where there is nothing, say why."""
    found = sources(run)
    parts = [part for part in PARTS if found.kept(part)]
    if not parts:
        cleared = [
            event for event in events.events_of(store(), run.id) if event.kind is EventKind.CLEARED
        ]
        if cleared:
            st.info(
                f"{cleared[-1].at:%Y-%m-%d}: {cleared[-1].sentence}",
                icon=":material/folder_delete:",
            )
            st.page_link(
                TRAIN,
                label="Clone and edit",
                icon=":material/replay:",
                query_params={"from": run.id},
            )
            return None
        st.info(
            "The test set was not evaluated because the run diverged or ended before its first epoch. "
            "Change its configuration and start a new run to see errors.",
            icon=":material/info:",
        )
        st.page_link(
            TRAIN, label="Clone and edit", icon=":material/replay:", query_params={"from": run.id}
        )
        return None
    refuse_choice("part", parts, what="The set of images")
    complaints = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        part = parts[0]
        if len(parts) > 1:
            part = st.segmented_control(
                "Images", parts, default=parts[0], required=True, key="part", bind="query-params"
            )
        kept = found.kept(part)
        default = 0 if FINAL in kept else len(kept) - 1
        chosen = kept[default]
        if len(kept) > 1:
            with complaints:
                refuse_choice("kept", kept, what="The epoch")
            note = "Final is the state in which the run ended. The probabilities of at most 20 epochs are kept."
            chosen = st.selectbox(
                "After epoch", kept, default, key="kept", bind="query-params", width=160, help=note
            )
    try:
        return evaluated(run, part, chosen)
    except (ArtifactError, DataError) as error:
        st.error(error_sentence(error), icon=":material/error:")
        return None


def evaluated(run: Run, part: Part = "test", kept: str = FINAL) -> Evaluated:
    """Read a run's probabilities and the labels that belong to them, once for all sessions.

    Raises:
        ArtifactError: the probabilities are missing or damaged.
        DataError: the labels are.
    """
    return _evaluated(store().settings.database_url, run.id, run.revision, part, kept, run.config)


def sources(run: Run) -> Sources:
    """List what probabilities a run has left, once for all sessions."""
    return _sources(store().settings.database_url, run.id, run.revision, run.config.leaks_test_set)


def selected(of: Evaluated) -> Selection:
    """Read the selection from the page's address; what cannot be is a sentence on the page, and then nothing is selected."""
    try:
        return selection.current(len(of.labels), validation=of.part == "validation")
    except InvalidInput as error:
        st.error(error_sentence(error), icon=":material/error:")
        return Selection()


@st.cache_resource(show_spinner=False, max_entries=32)
def _evaluated(
    database_url: str, run_id: str, revision: int, part: Part, kept: str, _config: RunConfig
) -> Evaluated:
    kind, name = (
        (ArtifactKind.EPOCH_PROBABILITIES, kept)
        if kept != FINAL
        else (
            ArtifactKind.TEST_PROBABILITIES
            if part == "test"
            else ArtifactKind.VALIDATION_PROBABILITIES,
            "",
        )
    )
    probabilities = artifacts.read_probabilities(store(), run_id, kind, name)
    data_dir = store().settings.data_dir
    labels = read_labels(_config.dataset, "test" if part == "test" else "train", data_dir)
    indices = None if part == "test" else validation_indices(_config, labels)
    if indices is not None:
        labels = labels[indices]
    if len(labels) != len(probabilities):
        raise DataError(
            f"The {part} set of {_config.dataset} has {len(labels):,} labels, but run {run_id} has {len(probabilities):,} "
            "probabilities. Restore the data set that it was trained on."
        )
    return Evaluated(
        run_id,
        part,
        kept,
        _config.dataset,
        labels,
        probabilities,
        indices,
        data_dir,
        f"{database_url} {run_id} {revision} {part} {kept}",
    )


@st.cache_resource(show_spinner=False, max_entries=256)
def _sources(database_url: str, run_id: str, revision: int, leaks: bool) -> Sources:  # noqa: ARG001, FBT001 - the cache's key
    has = {
        part: artifacts.has(store(), run_id, kind)
        for part, kind in zip(PARTS, _FINAL_KINDS, strict=True)
    }
    parts = tuple(part for part in PARTS if has[part] and not (part == "validation" and leaks))
    return Sources(parts, tuple(artifacts.parts(store(), run_id, ArtifactKind.EPOCH_PROBABILITIES)))
