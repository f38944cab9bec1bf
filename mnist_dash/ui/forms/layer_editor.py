"""The list of layers: add, remove, move and set them, with shape and parameters beside each."""

from __future__ import annotations

import streamlit as st

from mnist_dash.core.config.layers import LAYER_KINDS, LayerPlan, format_shape
from mnist_dash.ui.forms.fields import TrainForm

LAYER_NAMES = {
    "conv": "Convolution",
    "max_pool": "Max pooling",
    "avg_pool": "Average pooling",
    "dropout": "Dropout",
    "batch_norm": "Batch normalisation",
    "activation": "Activation",
    "flatten": "Flatten",
    "dense": "Dense",
}
ACTIVATION_NAMES = {
    "relu": "ReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "leaky_relu": "leaky ReLU",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "linear": "linear",
}
INITIALIZER_NAMES = {
    "glorot_uniform": "Glorot uniform",
    "glorot_normal": "Glorot normal",
    "he_uniform": "He uniform",
    "he_normal": "He normal",
    "normal": "normal",
    "truncated_normal": "truncated normal",
    "constant": "constant",
    "zeros": "zeros",
}
_PADDING_NAMES = {"valid": "valid", "same": "same"}
_NUMBER_WIDTH = 84
_CHOICE_WIDTH = 122


def layer_editor(form: TrainForm) -> None:
    """Draw the editor of a form's layers."""
    for index in range(len(form.draft.layer_keys)):
        _layer(form, index)
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.markdown("Add", width="content")
        for kind, name in LAYER_NAMES.items():
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
            st.markdown(f"**{index + 1} {LAYER_NAMES[kind]}** :gray[{_outcome(plan)}]", help=_arithmetic(plan), width="stretch")
            _buttons(form, index)
        if len(LAYER_KINDS[kind].model_fields) > 1:
            with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
                _fields(form, index, kind)
        form.problems(f"layers.{index}")


def _outcome(plan: LayerPlan | None) -> str:
    if plan is None:
        return "output unknown"
    count = f" · {plan.n_parameters:,} parameters" if plan.n_parameters else ""
    return f"→ {format_shape(plan.output_shape)}{count}"


def _arithmetic(plan: LayerPlan | None) -> str | None:
    return None if plan is None else f"Shape: {plan.shape_arithmetic}. Parameters: {plan.parameter_arithmetic}."


def _buttons(form: TrainForm, index: int) -> None:
    name, last = form.draft.layer_keys[index], len(form.draft.layer_keys) - 1
    moves = (("up", -1, ":material/arrow_upward:", index == 0), ("down", 1, ":material/arrow_downward:", index == last))
    with st.container(horizontal=True, gap=None, width="content"):
        for word, by, icon, disabled in moves:
            st.button(
                icon,
                key=f"train_{word}_{name}",
                help=f"Move layer {index + 1} {word}",
                type="tertiary",
                disabled=disabled,
                on_click=form.change,
                args=(lambda draft, by=by: draft.with_layer_moved(index, by),),
            )
        st.button(
            ":material/close:",
            key=f"train_remove_{name}",
            help=f"Remove layer {index + 1}",
            type="tertiary",
            on_click=form.change,
            args=(lambda draft: draft.without_layer(index),),
        )


def _fields(form: TrainForm, index: int, kind: str) -> None:
    def number(name: str, label: str, hint: str | None = None) -> None:
        form.number(f"layers.{index}.{name}", label, key=_key(form, index, name), width=_NUMBER_WIDTH, hint=hint, beside=False)

    def choice(name: str, label: str, options: dict[str, str]) -> None:
        form.choice(f"layers.{index}.{name}", label, options, key=_key(form, index, name), width=_CHOICE_WIDTH)

    match kind:
        case "conv":
            number("filters", "Filters")
            number("kernel", "Kernel", "Side of the square kernel, in pixels")
            number("stride", "Stride")
            choice("padding", "Padding", _PADDING_NAMES)
            choice("activation", "Activation", ACTIVATION_NAMES)
        case "max_pool" | "avg_pool":
            number("size", "Window", "Side of the square window, in pixels")
            number("stride", "Stride", "Empty: as wide as the window")
        case "dropout":
            number("rate", "Rate", "Share of the values that are zeroed while training")
        case "batch_norm":
            number("momentum", "Momentum", "Share of the running statistics that each batch keeps")
            number("epsilon", "Epsilon")
        case "activation":
            choice("activation", "Activation", ACTIVATION_NAMES)
        case "dense":
            number("units", "Units")
            choice("activation", "Activation", ACTIVATION_NAMES | {"softmax": "softmax"})
    if kind in ("conv", "dense"):
        _more(form, index)


def _more(form: TrainForm, index: int) -> None:
    """Fold away what is rarely changed: L2 and the initialisers; drawn only while it is open."""
    popover = st.popover(":material/tune:", key=_key(form, index, "more"), on_change="rerun", help="L2 penalty and initial values")
    if not popover.open:
        return
    with popover:
        form.number(
            f"layers.{index}.l2", "L2 penalty", key=_key(form, index, "l2"), hint="Adds l2 x the sum of squared weights to the loss"
        )
        for part, label in (("kernel_init", "Initial weights"), ("bias_init", "Initial biases")):
            _initializer(form, index, part, label)


def _initializer(form: TrainForm, index: int, part: str, label: str) -> None:
    path = f"layers.{index}.{part}"
    kind = form.value(f"{path}.kind")
    key = form.key(_key(form, index, f"{part}_kind"))
    st.session_state.setdefault(key, kind)
    st.selectbox(
        label,
        list(INITIALIZER_NAMES),
        key=key,
        format_func=lambda name: INITIALIZER_NAMES[name],
        on_change=_put_initializer,
        args=(form, path, key),
    )
    for name, text in (("std", "Standard deviation"), ("value", "Value")):
        if name in form.value(path):
            form.number(f"{path}.{name}", text, key=_key(form, index, f"{part}_{kind}_{name}"), beside=False)


def _put_initializer(form: TrainForm, path: str, key: str) -> None:
    form.change(lambda draft: draft.with_initializer(path, st.session_state[key]))


def _key(form: TrainForm, index: int, name: str) -> str:
    return f"layer_{form.draft.layer_keys[index]}_{name}"
