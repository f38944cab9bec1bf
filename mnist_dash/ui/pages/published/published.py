"""Published: the experiments that the reports describe, their numbers beside ours."""

import streamlit as st

from mnist_dash.ui.app.navigation import follow
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.pages.published.detail import detail
from mnist_dash.ui.pages.published.table import CHOSEN, comparisons, headline, published_table

follow()
st.title("Published experiments")
st.caption(
    "Seventeen experiments of five course reports, as they describe them. Click a row to open it; "
    "`python -m mnist_dash reproduce` runs all of them."
)
found = comparisons()
headline(found)
published_table(found)
chosen = st.query_params.get(CHOSEN)
if chosen in found:
    detail(found[chosen])
elif chosen is not None:
    st.error(f"An experiment is one of those above; got {chosen!r} in the address. Click a row instead.", icon=":material/search_off:")
else:
    st.caption(f"{store().count():,} runs are in this store. Open an experiment to see its curve beside ours.")
