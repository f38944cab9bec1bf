"""What every page begins with: the list of pages, the menu, who visits."""

from __future__ import annotations

import streamlit as st

from mnist_dash.errors import MnistDashError, NotAllowed
from mnist_dash.redaction import guard_output
from mnist_dash.runs.store.patience import TRANSIENT
from mnist_dash.ui.app import admission, visitor
from mnist_dash.ui.app.moving import wait_for_database
from mnist_dash.ui.app.navigation import ICON, all_pages, draw_menu, follow
from mnist_dash.ui.app.palette import palette


def show() -> None:
    """Show the page that the address names."""
    guard_output()
    page = st.navigation(all_pages(), position="hidden")
    st.set_page_config(
        page_title=f"{page.title} · MNIST Dash",
        page_icon=str(ICON),
        layout="wide",
        initial_sidebar_state="collapsed",
    )
    st.session_state["page_arrived"] = st.session_state.get("page_shown") != page.url_path
    st.session_state["page_shown"] = page.url_path
    is_admitted = False
    try:
        shared = visitor.has_share_link()
        is_admitted = True
        if not shared:
            draw_menu(also=palette)
        visitor.badge()
        admission.keep_token()
        follow()
        visitor.check_page(page.url_path)
        page.run()
    except NotAllowed as error:
        st.error(str(error), icon=":material/lock:")
        if not is_admitted and admission.token() is None:
            visitor.sign_in_buttons()
    except TRANSIENT as error:
        wait_for_database(error)
    except MnistDashError as error:
        st.error(visitor.error_sentence(error), icon=":material/error:")
