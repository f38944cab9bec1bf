"""Data: what the networks learn from, image by image and as a whole."""

import streamlit as st

from mnist_dash.core.config.run_config import DatasetName
from mnist_dash.ui.app.addresses import refuse_choice
from mnist_dash.ui.pages.data import augmentation, images, overview
from mnist_dash.ui.pages.data.data_set import ARCHIVES, available, title


def chosen_dataset() -> DatasetName:
    """Offer the data sets that are there, when there are several."""
    names = {title(name): name for name in available()}
    refuse_choice("dataset", names, what="The data set")
    if len(names) == 1:
        return "mnist"
    chosen = st.segmented_control(
        "Data set",
        names,
        default="MNIST",
        required=True,
        key="dataset",
        bind="query-params",
        on_change=start_over,
    )
    return names[str(chosen)]


def start_over() -> None:
    """Go to the first image when other images are looked at."""
    st.session_state[images.INDEX] = 0
    st.session_state[images.PAGE] = 1


st.title("Data")
dataset = chosen_dataset()
parts = overview.read_parts(dataset)
left, right = st.columns([3, 2], gap="large")
with left:
    st.subheader("Classes")
    overview.class_counts(dataset)
with right:
    st.subheader(title(dataset))
    st.markdown(
        "Images of 28 x 28 pixels with grey values from 0 (background) to 255, in ten classes."
    )
    overview.source(dataset)

st.subheader("Images")
refuse_choice("archive", ARCHIVES, what="The archive")
name = st.segmented_control(
    "Archive",
    ARCHIVES,
    default="training",
    required=True,
    key="archive",
    bind="query-params",
    on_change=start_over,
    label_visibility="collapsed",
)
part = parts[str(name)]
images.page_of_images(part)

st.subheader("One image")
index = images.chosen_index(part)
images.one_image(part, index)
st.subheader("Scalings")
images.scalings(part, index)
st.subheader("Augmentation")
augmentation.augmentation(part, index)

st.subheader("Mean and standard deviation")
overview.class_pictures(part)
st.subheader("Grey values")
overview.grey_values(part)
