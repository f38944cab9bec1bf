"""The list of layers: add, remove, move and set them, with shape and parameters beside each."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mnist_dash.core.kinds.controls import Control, ControlKind
from mnist_dash.core.layers import INITIALIZERS, LAYERS, LayerPlan, format_shape
from mnist_dash.ui.forms.fields import TrainForm

_NUMBER_WIDTH = 84
_CHOICE_WIDTH = 122


def layer_editor(form: TrainForm) -> None:
    """Draw the editor of a form's layers."""
    for index in range(len(form.draft.layer_keys)):
        _layer(form, index)
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.markdown("Add", width="content")
        for kind, name in LAYERS.labels.items():
            st.button(
                name,
                key=f"train_add_{kind}",
                icon=":material/add:",
                on_click=form.change,
                args=(lambda draft, kind=kind: draft.with_layer(kind),),
            )


def _layer(form: TrainForm, index: int) -> None:
    kind = form.draft.tree["layers"][index]["kind"]
    plan = form.checked.plans[index] if index < len(form.checked.plans) else None
    with st.container(border=True, gap=None, key=f"train_layer_{form.draft.layer_keys[index]}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.markdown(
                f"**{index + 1} {LAYERS[kind].label}** :gray[{_outcome(plan)}]",
                help=_arithmetic(plan),
                width="stretch",
            )
            _buttons(form, index)
        if LAYERS[kind].controls:
            with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
                _fields(form, index, kind)
        form.problems(f"layers.{index}")


def _outcome(plan: LayerPlan | None) -> str:
    if plan is None:
        return "output unknown"
    count = f" · {plan.n_parameters:,} parameters" if plan.n_parameters else ""
    return f"→ {format_shape(plan.output_shape)}{count}"


def _arithmetic(plan: LayerPlan | None) -> str | None:
    return (
        None
        if plan is None
        else f"Shape: {plan.shape_arithmetic}. Parameters: {plan.parameter_arithmetic}."
    )


def _buttons(form: TrainForm, index: int) -> None:
    name, last = form.draft.layer_keys[index], len(form.draft.layer_keys) - 1
    moves = (
        ("up", -1, ":material/arrow_upward:", index == 0),
        ("down", 1, ":material/arrow_downward:", index == last),
    )
    with st.container(horizontal=True, gap=None, width="content"):
        for word, by, icon, disabled in moves:
            st.button(
                icon,
                key=f"train_{word}_{name}",
                help=f"Moves layer {index + 1} {word}.",
                type="tertiary",
                disabled=disabled,
                on_click=form.change,
                args=(lambda draft, by=by: draft.with_layer_moved(index, by),),
            )
        st.button(
            ":material/close:",
            key=f"train_remove_{name}",
            help=f"Removes layer {index + 1}.",
            type="tertiary",
            on_click=form.change,
            args=(lambda draft: draft.without_layer(index),),
        )


def _fields(form: TrainForm, index: int, kind: str) -> None:
    for control in LAYERS[kind].controls:
        if not control.is_folded:
            _draw(form, index, control)
    folded = [control for control in LAYERS[kind].controls if control.is_folded]
    if folded:
        _more(form, index, folded)


def _draw(form: TrainForm, index: int, control: Control) -> None:
    """Draw a control of a layer as its kind says."""
    path, key = f"layers.{index}.{control.field}", _key(form, index, control.field)
    match control.kind:
        case ControlKind.NUMBER if control.is_folded:
            form.number(path, control.label, key=key, hint=control.hint)
        case ControlKind.NUMBER:
            form.number(
                path, control.label, key=key, width=_NUMBER_WIDTH, hint=control.hint, beside=False
            )
        case ControlKind.CHOICE:
            form.choice(
                path,
                control.label,
                control.options or {},
                key=key,
                width=_CHOICE_WIDTH,
                hint=control.hint,
            )
        case ControlKind.FLAG:
            form.flag(path, control.label, key=key, hint=control.hint)
        case ControlKind.INITIALIZER:
            _initializer(form, index, control)


def _more(form: TrainForm, index: int, controls: Sequence[Control]) -> None:
    """Fold away what is rarely changed, such as L2 and the initialisers; drawn only while it is open."""
    popover = st.popover(
        ":material/tune:",
        key=_key(form, index, "more"),
        on_change="rerun",
        help="L2 penalty and initialisers of this layer.",
    )
    if not popover.open:
        return
    with popover:
        for control in controls:
            _draw(form, index, control)


def _initializer(form: TrainForm, index: int, control: Control) -> None:
    path = f"layers.{index}.{control.field}"
    kind = form.value(f"{path}.kind")
    key = form.key(_key(form, index, f"{control.field}_kind"))
    st.session_state.setdefault(key, kind)
    names = INITIALIZERS.labels
    st.selectbox(
        control.label,
        list(names),
        key=key,
        format_func=lambda name: names[name],
        on_change=_put_initializer,
        args=(form, path, key),
    )
    for inner in INITIALIZERS[kind].controls:
        form.number(
            f"{path}.{inner.field}",
            inner.label,
            key=_key(form, index, f"{control.field}_{kind}_{inner.field}"),
            beside=False,
        )


def _put_initializer(form: TrainForm, path: str, key: str) -> None:
    form.change(lambda draft: draft.with_initializer(path, st.session_state[key]))


def _key(form: TrainForm, index: int, name: str) -> str:
    return f"layer_{form.draft.layer_keys[index]}_{name}"
