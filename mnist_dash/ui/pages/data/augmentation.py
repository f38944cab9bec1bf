"""What augmentation makes of one image."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import Augmentation
from mnist_dash.core.data.distortion import distort
from mnist_dash.glossary import help_for
from mnist_dash.ui.app.addresses import refuse_number
from mnist_dash.ui.app.navigation import TRAIN
from mnist_dash.ui.elements.picture_grid import picture_grid
from mnist_dash.ui.forms.composition import FIRST_PRESET, Draft
from mnist_dash.ui.pages.data.data_set import Archive

N_VARIANTS = 39
_STRENGTHS = (
    ("shift", "Shift, fraction of the side", 0.5, 0.01, 0.1),
    ("rotation", "Rotation, degrees", 180.0, 1.0, 10.0),
    ("scale", "Zoom, fraction", 0.5, 0.01, 0.1),
    ("elastic", "Elastic distortion", 100.0, 1.0, 0.0),
)
_SIGMA = "elastic_sigma"


@st.fragment
def augmentation(part: Archive, index: int) -> None:
    """Draw an image and what training would see of it, by strengths that are chosen here."""
    st.caption(
        "The first image is the original. The others are random variants of it, as training sees them anew in every epoch."
    )
    refuse_number("draw", low=0, high=9999, what="The seed")
    with st.grid(3, min_column_width=170):
        chosen = {
            name: st.slider(label, 0.0, most, usual, step, key=name, bind="query-params")
            for name, label, most, step, usual in _STRENGTHS
        }
        plain = chosen["elastic"] == 0
        chosen[_SIGMA] = st.slider(
            "Elastic smoothness, pixels",
            1.0,
            20.0,
            5.0,
            0.5,
            key=_SIGMA,
            bind="query-params",
            disabled=plain,
            help=help_for("elastic smoothness"),
        )
        seed = st.number_input(
            "Seed",
            0,
            9999,
            0,
            1,
            key="draw",
            bind="query-params",
            help=help_for("seed", "Another seed draws other variants."),
        )
    image = part.images[index]
    wanted = Augmentation(**chosen)
    variants = distort(np.repeat(image[None], N_VARIANTS, axis=0), wanted, seed=int(seed))
    picture_grid(
        np.concatenate([image[None], variants]),
        key="data_variants",
        alt=f"Image {index} and {N_VARIANTS} random variants of it",
        columns=(20, 10),
        titles=["original image", *["random variant"] * N_VARIANTS],
        selected=0,
    )
    st.page_link(
        TRAIN,
        label="Train with this augmentation",
        icon=":material/model_training:",
        query_params=Draft.from_config(
            PRESETS[FIRST_PRESET].config.model_copy(update={"augmentation": wanted})
        ).link(),
    )
