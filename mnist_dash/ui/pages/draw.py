"""Draw: a digit drawn by hand, prepared as MNIST was, and what the runs say it is."""

import streamlit as st

st.title("Draw a digit")
