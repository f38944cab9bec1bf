"""Published: the experiments that the reports describe, their numbers beside ours."""

import streamlit as st

from mnist_dash.text import plural, verb
from mnist_dash.ui.app.navigation import follow
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.pages.published.detail import detail
from mnist_dash.ui.pages.published.table import CHOSEN, comparisons, headline, published_table

follow()
st.title("Published results")
st.caption(
    "Seventeen experiments of five course reports, as they describe them. Click a row to open it. `mnist-dash reproduce` runs all of them."
)
found = comparisons()
headline(found)
published_table(found)
chosen = st.query_params.get(CHOSEN)
if chosen in found:
    detail(found[chosen])
elif chosen is not None:
    st.error(
        f"The address names no known experiment: {chosen[:40]!r}. Click a row above instead.",
        icon=":material/search_off:",
    )
else:
    n = store().count()
    st.caption(
        f"{plural(n, 'run')} {verb(n, 'are')} in this store. Open an experiment to see its curves beside ours."
    )
