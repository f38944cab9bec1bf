"""Train: choose or compose a network, see what it costs, press the button."""

import streamlit as st

from mnist_dash.errors import InvalidInput
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.elements.live_plot import preload_plotly
from mnist_dash.ui.forms.composition import FIRST_PRESET, Draft
from mnist_dash.ui.forms.fields import DRAFT_KEY, new_form
from mnist_dash.ui.forms.layer_editor import layer_editor
from mnist_dash.ui.forms.train_settings import more_fields, training_fields
from mnist_dash.ui.pages.train.launch import begin_visit, launch_card

LINK_KEY = "train_link"


def load_draft() -> str:
    """Bring the draft up to what the address asks for; returns a sentence when the address asks for what cannot be."""
    clone, preset, changes = st.query_params.get("from"), st.query_params.get("preset"), st.query_params.get_all("set")
    try:
        if clone is not None:
            run = store().run(clone)
            st.session_state[DRAFT_KEY] = Draft.from_config(run.config, preset=run.preset or FIRST_PRESET)
        elif preset is not None and (preset, changes) != st.session_state.get(LINK_KEY):
            st.session_state[DRAFT_KEY] = Draft.from_link(preset, changes)
    except InvalidInput as error:
        st.session_state[DRAFT_KEY] = Draft.from_preset(preset or FIRST_PRESET)
        return str(error)
    st.session_state.setdefault(DRAFT_KEY, Draft.from_preset(FIRST_PRESET))
    return ""


def write_link(draft: Draft) -> None:
    """Put the draft into the address, so that a copied link brings back this view."""
    link = draft.link()
    st.session_state[LINK_KEY] = (link["preset"], link.get("set", []))
    if (st.query_params.get("preset"), st.query_params.get_all("set"), "from" in st.query_params) != (*st.session_state[LINK_KEY], False):
        st.query_params.from_dict(link)


begin_visit()
refused = load_draft()
draft: Draft = st.session_state[DRAFT_KEY]
write_link(draft)
form = new_form(draft, draft.check())

st.title("Train a network")
if refused:
    st.warning(refused, icon=":material/link_off:")
left, right = st.columns([4, 8], gap="large")
with right:
    st.subheader("Training")
    training_fields(form)
    st.subheader("Layers")
    inputs = "Images of 28 x 28 x 1 go" if len(draft.input_shape) == 3 else f"{draft.input_shape[0]} features of an image go"
    st.caption(f"{inputs} in; ten probabilities come out of the last layer, dense with softmax.")
    layer_editor(form)
    more_fields(form)
with left:
    launch_card(form)
preload_plotly()
