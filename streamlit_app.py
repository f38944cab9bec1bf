"""The dashboard's entry: the list of pages and what all of them share. Start it with ``streamlit run streamlit_app.py``."""

import streamlit as st

from mnist_dash.errors import MnistDashError
from mnist_dash.ui.navigation import ICON, draw_menu, follow, pages
from mnist_dash.ui.palette import palette
from mnist_dash.ui.resources import store

page = st.navigation(pages(), position="hidden")
st.set_page_config(page_title=f"{page.title} · MNIST Dash", page_icon=str(ICON), layout="wide", initial_sidebar_state="collapsed")
st.session_state["page_arrived"] = st.session_state.get("page_shown") != page.url_path
st.session_state["page_shown"] = page.url_path

draw_menu(also=palette)
try:
    store()
    follow()
    page.run()
except MnistDashError as error:
    st.error(str(error), icon=":material/error:")
