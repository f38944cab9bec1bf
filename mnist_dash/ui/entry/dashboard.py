"""The dashboard's entry within the package, which `mnist-dash dashboard` serves with the configuration beside it.

``streamlit_app.py`` at the top of a checkout shows the same.
"""

from mnist_dash.ui.app.entry import show

show()
