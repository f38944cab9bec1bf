"""Train: choose or compose a network, see what it costs, press the button."""

import streamlit as st

from mnist_dash.ui.app.resources import store
from mnist_dash.ui.elements.live_plot import preload_plotly
from mnist_dash.ui.forms.composition import FIRST_PRESET, Draft
from mnist_dash.ui.forms.draft_session import TRAIN
from mnist_dash.ui.forms.fields import TrainForm
from mnist_dash.ui.forms.layer_editor import layer_editor
from mnist_dash.ui.forms.train_settings import more_fields, training_fields
from mnist_dash.ui.pages.train.launch import launch_card
from mnist_dash.ui.pages.train.race import RACE


def asked_draft() -> Draft | None:
    """Give the draft that the address asks for; None where it asks for none, or for the one that is there."""
    query = st.query_params
    if "from" in query:
        run = store().run(query["from"].strip())
        return Draft.from_config(run.config, preset=run.preset or FIRST_PRESET)
    if "preset" in query and not TRAIN.is_in_address():
        return Draft.from_link(query["preset"], query.get_all("set"))
    return None


def first_draft() -> Draft:
    """Give the draft to begin with: the preset of the address, if it names one."""
    return Draft.from_preset(st.query_params.get("preset", FIRST_PRESET))


if st.session_state.get("page_arrived"):
    TRAIN.begin_visit()
    RACE.begin_visit()
refused = TRAIN.load(asked_draft, first_draft)
draft = TRAIN.draft
TRAIN.write_address(draft.link())
form = TrainForm(TRAIN, draft, draft.check())

st.title("Train a network")
if refused:
    st.warning(refused, icon=":material/link_off:")
left, right = st.columns([4, 8], gap="large")
with right:
    st.subheader("Training")
    training_fields(form)
    st.subheader("Layers")
    inputs = (
        "Input: images of 28 x 28 x 1"
        if len(draft.input_shape) == 3
        else f"Input: {draft.input_shape[0]} features of each image"
    )
    st.caption(f"{inputs}. Output: ten probabilities from the last layer, dense with softmax.")
    layer_editor(form)
    more_fields(form)
with left:
    launch_card(form)
preload_plotly()
