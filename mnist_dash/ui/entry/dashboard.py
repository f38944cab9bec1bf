"""The dashboard's entry within the package, which `mnist-dash dashboard` serves with the configuration beside it.

``streamlit_app.py`` at the top of a checkout serves the same.
"""

import streamlit as st

from mnist_dash.ui.server.options import SCRIPT, options

app = st.App(SCRIPT, **options())
