"""The script that Streamlit runs for each session: the page that the address names."""

from mnist_dash.ui.app.entry import show

show()
