"""Draw: a digit drawn by hand, prepared as MNIST was, and what the runs say it is."""

import numpy as np
import streamlit as st

from mnist_dash.core.data.drawing import Strokes, decode_strokes, encode_strokes, image_of
from mnist_dash.errors import InvalidInput
from mnist_dash.ui.elements.digit_canvas import digit_canvas
from mnist_dash.ui.pages.draw import kept, position, results

ADDRESS = "drawing"
ROUND_KEY, SHOWN_KEY = "draw_round", "draw_shown"


def begin(strokes: Strokes) -> None:
    """Begin a new round on the canvas with these strokes on it."""
    st.session_state[ROUND_KEY] = st.session_state.get(ROUND_KEY, 0) + 1
    st.session_state[SHOWN_KEY] = strokes


def arrive() -> None:
    """Put what the address holds onto the canvas, or what was on it when the page was left."""
    text = st.query_params.get(ADDRESS)
    try:
        begin(st.session_state.get(kept.STROKES_KEY, ()) if text is None else decode_strokes(text))
    except InvalidInput as error:
        st.error(str(error), icon=":material/error:")
        begin(())


def canvas() -> Strokes:
    """Draw the canvas, and keep what is on it in the address."""
    try:
        strokes = digit_canvas(
            st.session_state[SHOWN_KEY], round_number=st.session_state[ROUND_KEY], key="draw_canvas"
        )
    except InvalidInput as error:
        st.error(str(error), icon=":material/error:")
        strokes = ()
    st.session_state[kept.STROKES_KEY] = strokes
    if strokes:
        st.query_params[ADDRESS] = encode_strokes(strokes)
    else:
        st.query_params.pop(ADDRESS, None)
    return strokes


st.title("Draw a digit")
if st.session_state["page_arrived"] or ROUND_KEY not in st.session_state:
    arrive()
left, right = st.columns([1, 2], gap="large")
with left:
    strokes = canvas()
with right:
    answer = st.container()
    kept.keep_bar(begin, empty=not strokes)
    runs = results.chosen_runs()
with answer:
    if strokes:
        image = image_of(strokes)
        results.recognition(image, runs)
    else:
        st.caption(
            "Draw with finger, pen or mouse. The prediction appears here after the first stroke."
        )
if strokes:
    made, like = st.columns([1, 2], gap="large")
    with made:
        st.subheader("Input of the network")
        st.image(
            np.kron(image, np.ones((8, 8), np.uint8)),
            width=224,
            alt="The drawing as an image of 28 x 28 pixels",
        )
        st.caption(
            "28 x 28 pixels, preprocessed as MNIST was: the longer side is scaled to 20 pixels with averaged grey values, and the centre "
            "of mass is moved to the centre. The pen is as wide as MNIST's strokes at every size."
        )
    with like:
        st.subheader("Nearest training images")
        results.likest(image)
        if len(runs) == 1:
            st.subheader("Position in the embedding")
            position.place(image, runs[0])
st.subheader("Your test set")
kept.kept_section(begin)
