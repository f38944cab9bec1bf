"""The dashboard's entry. Start it with ``streamlit run streamlit_app.py``."""

import streamlit as st

from mnist_dash.ui.server.options import SCRIPT, options

app = st.App(SCRIPT, **options())
