"""The search space on the page that composes a study: settings to tick, and the range of each that is ticked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.naming import network_name
from mnist_dash.core.layers import activations
from mnist_dash.core.optimizers import OPTIMIZERS
from mnist_dash.core.scalings import SCALINGS
from mnist_dash.core.schedules import SCHEDULES
from mnist_dash.search.definition.proposals import GROUPS, Proposal, proposals, reshaped
from mnist_dash.ui.forms.fields import StudyForm, listed_text, parse_list
from mnist_dash.ui.forms.places import Tree
from mnist_dash.ui.forms.study_draft import StudyDraft, alternatives

_GROUP_NAMES = {
    "optimizer": "Optimization",
    "training": "Training",
    "network": "Network",
    "data": "Data and augmentation",
}
_SHAPES = {"range": "range", "log": "log range", "list": "values"}
_BOUND_WIDTH = 92
_TITLE_WIDTH = 144
_VALUES_WIDTH = 460


def _names(path: str) -> Mapping[Any, str]:
    """Name the values of a setting that is chosen from a list."""
    match path:
        case "optimizer.kind":
            return OPTIMIZERS.labels
        case "schedule.kind":
            return SCHEDULES.labels
        case "scaling":
            return SCALINGS.labels
        case "dense.activation":
            return activations.LABELS
    return {False: "without", True: "with"}


def settings_to_tick(form: StudyForm) -> None:
    """Draw what can be explored, group by group; a click explores it or leaves it be."""
    for group in GROUPS:
        offered = [
            each
            for each in proposals(form.draft.base)
            if each.group == group and _is_offered(form.draft, each)
        ]
        if not offered:
            continue
        key = form.key("tick", group)
        titles = {each.path: each.title for each in offered}
        st.session_state[key] = [path for path in titles if path in form.draft.parameters]
        st.pills(
            _GROUP_NAMES[group],
            list(titles),
            selection_mode="multi",
            key=key,
            format_func=partial(_title, titles),
            on_change=_tick,
            args=(form, key, tuple(titles)),
            wrap=True,
        )


def another_setting(form: StudyForm) -> None:
    """Offer every other setting of the network by its path."""
    key = form.key("another")
    st.session_state[key] = None
    st.selectbox(
        "Another hyperparameter",
        form.draft.other_settings,
        index=None,
        key=key,
        placeholder="Any other setting of this network, by its path",
        on_change=_explore_another,
        args=(form, key),
        label_visibility="collapsed",
    )


def _explore_another(form: StudyForm, key: str) -> None:
    path = st.session_state[key]
    if path is not None:
        form.change(lambda draft: draft.with_setting(path))


def ranges(form: StudyForm) -> None:
    """Draw the range of each setting that is explored, with what is wrong with it."""
    titles = {proposal.path: proposal.title for proposal in proposals(form.draft.base)}
    for path, fields in form.draft.parameters.items():
        _setting(form, path, fields, titles.get(path, path))
    form.problems("space")
    built = reshaped(form.draft.base, list(form.draft.parameters))
    if built is not None:
        st.caption(
            ":material/architecture: With hyperparameters of its shape, the "
            "network is built from convolutions with padding, each followed by a "
            "max pooling, then dense layers, each followed by dropout. All else is taken from the base network: "
            f"{network_name(built)}, {built.n_parameters:,} parameters."
        )


def _title(titles: dict[str, str], path: str) -> str:
    return titles.get(path, path)


def _is_offered(draft: StudyDraft, proposal: Proposal) -> bool:
    return proposal.path in draft.parameters or draft.is_available(proposal.path)


def _tick(form: StudyForm, key: str, known: tuple[str, ...]) -> None:
    ticked = list(st.session_state[key])
    form.change(lambda draft: draft.with_choice_of(known, ticked))


def _setting(form: StudyForm, path: str, fields: Tree, title: str) -> None:
    place = form.key("setting", path.replace(".", "_"))
    with st.container(gap="xsmall"):
        _range_row(form, path, fields, title, place)
        form.problems(("space", path))


def _range_row(form: StudyForm, path: str, fields: Tree, title: str, place: str) -> None:
    with st.container(
        border=True, horizontal=True, vertical_alignment="center", gap="small", key=place
    ):
        st.button(
            ":material/close:",
            key=form.key("remove", path),
            type="tertiary",
            help=f"Removes {title.lower()} from the search space.",
            on_click=form.change,
            args=(partial(_without, path=path),),
        )
        condition = _condition(fields)
        st.markdown(
            f"**{formatting.plain(title)}**"
            + (f"  \n:small[:gray[{condition}]]" if condition else ""),
            width=_TITLE_WIDTH,
            help=f"The setting `{path}`.",
        )
        if alternatives(path):
            _values_to_tick(form, path, fields)
        else:
            _numbers(form, path, fields)


def _without(draft: StudyDraft, *, path: str) -> StudyDraft:
    return draft.without(path)


def _condition(fields: Tree) -> str:
    """Say when a setting applies, where it does not always."""
    parts = []
    for condition in fields["when"]:
        named = [
            OPTIMIZERS.labels.get(str(value), str(value)) for value in condition.get("values", ())
        ]
        if condition.get("at_least") is not None:
            parts.append(f"where {condition.get('path')} is at least {condition['at_least']:g}")
        elif condition.get("path") == "optimizer.kind":
            parts.append(f"with {' and '.join(named)} only")
        else:
            parts.append(f"where {condition.get('path')} is {' or '.join(named)}")
    return ", ".join(parts)


def _values_to_tick(form: StudyForm, path: str, fields: Tree) -> None:
    names = _names(path)
    allowed = alternatives(path)
    strangers = [value for value in fields["values"] if value not in allowed]
    key = form.key("values", path)
    st.session_state[key] = [value for value in (*allowed, *strangers) if value in fields["values"]]
    with st.container(width=_VALUES_WIDTH):
        st.pills(
            "Values",
            [*allowed, *strangers],
            selection_mode="multi",
            key=key,
            format_func=lambda value: names.get(value, str(value)),
            on_change=_put_values,
            args=(form, key, path),
            label_visibility="collapsed",
            wrap=True,
        )


def _put_values(form: StudyForm, key: str, path: str) -> None:
    values = list(st.session_state[key])
    form.change(
        lambda draft: (
            draft.changed(("parameters", path, "values"), values)
            if path in draft.parameters
            else draft
        )
    )


def _numbers(form: StudyForm, path: str, fields: Tree) -> None:
    if fields["number"] is None:
        form.text(
            ("parameters", path, "values"),
            "Values",
            parse=parse_list,
            write=listed_text,
            hint="Values separated by commas.",
            beside=False,
        )
        return
    shape = "list" if fields["as"] == "list" else "log" if fields["log"] else "range"
    key = form.key("shape", path)
    st.session_state[key] = shape
    st.selectbox(
        "As",
        list(_SHAPES),
        key=key,
        format_func=lambda shape: _SHAPES[shape],
        width=124,
        on_change=_put_shape,
        args=(form, key, path),
    )
    if shape == "list":
        hint = "Between commas: 32, 64, 128"
        form.text(
            ("parameters", path, "values"),
            "Values",
            parse=parse_list,
            write=listed_text,
            hint=hint,
            beside=False,
        )
        return
    for name, label in (("low", "Low"), ("high", "High")):
        form.text(("parameters", path, name), label, width=_BOUND_WIDTH, beside=False)
    if shape == "range":
        hint = (
            "Empty: every value between; a grid needs a step"
            if fields["number"] == "float"
            else "Empty: every whole number between"
        )
        form.text(("parameters", path, "step"), "Step", width=_BOUND_WIDTH, hint=hint, beside=False)


def _put_shape(form: StudyForm, key: str, path: str) -> None:
    shape: str = st.session_state[key]

    def put(draft: StudyDraft) -> StudyDraft:
        if path not in draft.parameters:
            return draft  # it was taken out meanwhile
        if shape == "list":
            return draft.with_shape(path, "list")
        draft = draft.with_shape(path, "range").changed(("parameters", path, "log"), shape == "log")
        return draft.changed(("parameters", path, "step"), None) if shape == "log" else draft

    form.change(put)
