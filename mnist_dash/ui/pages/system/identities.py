"""What the System page shows an admin of people: who has which role, the share links, and what was refused."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from mnist_dash import formatting
from mnist_dash.runs.access import sharing
from mnist_dash.ui.app import admission
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.visitor import may_administer
from mnist_dash.ui.components.share import link_row

N_LINKS = 50


def people_section() -> None:
    """Draw roles, links and refusals, for admins alone."""
    if not may_administer():
        return
    st.subheader("People")
    access, quotas = store().settings.access, store().settings.quotas
    if not admission.providers():
        st.caption("No sign-in is configured. Everybody at this machine is an admin.")
    else:
        roles = {"Admins": access.admins, "Editors": access.editors, "Viewers": access.viewers}
        rows = {
            role: ", ".join(map(formatting.plain, who)) or "nobody" for role, who in roles.items()
        }
        rows["Others"] = "viewers" if access.visitors_look else "nobody"
        st.table(rows, border="horizontal", alt="Who has which role")
    limits = {
        "queued runs": quotas.queued,
        "runs in training": quotas.running,
        "open trials": quotas.trials,
    }
    limits |= {"epochs x parameters": quotas.work}
    said = [f"{most:,} {what}" for what, most in limits.items() if most is not None]
    st.caption(f"Limits per person: {', '.join(said)}." if said else "No quotas are set.")
    _links()
    _refusals()


def _links() -> None:
    st.markdown("**Share links**")
    found = sharing.links(store())
    if not found:
        st.caption("There are no share links.")
    for link in found[:N_LINKS]:
        link_row(
            link,
            name=f"{link.page.capitalize()} {formatting.plain(', '.join(link.targets[:3]))}{' …' if len(link.targets) > 3 else ''}. ",
        )
    if len(found) > N_LINKS:
        st.caption(f"{len(found) - N_LINKS} older links are not shown.")


def _refusals() -> None:
    refused = sharing.refusals(store())
    if refused:
        st.markdown("**Refused actions**")
        rows = pd.DataFrame(refused, columns=["When", "Who", "Role", "What"])
        st.dataframe(
            rows,
            hide_index=True,
            column_config={"When": st.column_config.DatetimeColumn(format="distance")},
            alt="Refused actions",
        )
