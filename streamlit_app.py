"""The dashboard's entry. Start it with ``streamlit run streamlit_app.py``."""

from mnist_dash.ui.app.entry import show

show()
