"""The fields of the Train page besides the layers: what is changed often in sight, the rest folded away."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from mnist_dash.core.kinds.controls import Control, ControlKind
from mnist_dash.core.optimizers import OPTIMIZERS
from mnist_dash.core.scalings import SCALINGS
from mnist_dash.core.schedules import SCHEDULES
from mnist_dash.glossary import help_for
from mnist_dash.ui.forms.composition import PartName
from mnist_dash.ui.forms.fields import TrainForm

SPLIT_NAMES = {
    "tail": "last part",
    "random": "random",
    "stratified": "stratified",
    "test_as_validation": "test set (a leak)",
}
DATASET_NAMES = {
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "kmnist": "KMNIST",
    "qmnist": "QMNIST",
    "emnist_digits": "EMNIST digits",
}
FEATURE_NAMES = {"pixels": "pixels", "hog": "HOG features"}
DEVICE_NAMES = {"auto": "best available", "cpu": "CPU", "cuda": "GPU (CUDA)"}
PRECISION_NAMES = {"auto": "auto (the faster one)", "float32": "float32", "bfloat16": "bfloat16"}
MONITOR_NAMES = {
    "val_loss": "validation loss",
    "val_accuracy": "validation accuracy",
    "train_loss": "training loss",
    "train_accuracy": "training accuracy",
}
_SPLIT_CONTROLS = (
    Control("fraction", "Validation fraction", hint=help_for("validation fraction")),
    Control("seed", "Split seed", hint=help_for("seed")),
)
_FOLDED = (
    "dataset",
    "features",
    "scaling",
    "schedule",
    "augmentation",
    "early_stopping",
    "gradient_clip_norm",
    "label_smoothing",
    "probability_clip",
    "seed",
    "device",
    "precision",
)
_MORE_KEY = "train_more_settings"


def training_fields(form: TrainForm) -> None:
    """Draw epochs, batch size, optimizer and validation split."""
    grid = st.grid(min_column_width=150)
    with grid.cell():
        form.number("epochs", "Epochs", hint=help_for("epoch"))
    with grid.cell():
        form.number("batch_size", "Batch size", hint=help_for("batch size"))
    with grid.cell():
        _kind(form, "optimizer", "Optimizer", OPTIMIZERS.labels)
    _parameters(form, "optimizer", grid)
    with grid.cell():
        _kind(form, "split", "Validation split", SPLIT_NAMES)
    _parameters(form, "split", grid)


def more_fields(form: TrainForm) -> None:
    """Draw the folded settings; opened by a person, or by a problem inside."""
    if any(form.checked.under(name) for name in _FOLDED):
        open_more_fields()
    expander = st.expander(
        "More settings: data, schedule, early stopping, augmentation, device",
        icon=":material/tune:",
        key=_MORE_KEY,
        on_change="rerun",
    )
    if not expander.open:
        return
    with expander:
        _data_and_device(form)
        _schedule(form)
        _early_stopping(form)
        _augmentation(form)


def open_more_fields() -> None:
    """Unfold the folded settings; for callbacks."""
    st.session_state[_MORE_KEY] = True


def _kind(form: TrainForm, part: PartName, label: str, names: dict[str, str]) -> None:
    key = form.key(f"{part}_kind")
    st.session_state.setdefault(key, form.value(f"{part}.kind"))
    st.selectbox(
        label,
        list(names),
        key=key,
        format_func=lambda kind: names[kind],
        on_change=_put_part,
        args=(form, part, key),
    )
    form.problems(f"{part}.kind")
    form.own_problems(part)


def _put_part(form: TrainForm, part: PartName, key: str) -> None:
    kind = st.session_state[key]
    form.change(lambda draft: draft.with_part(part, kind))


def _parameters(form: TrainForm, part: PartName, grid: object) -> None:
    """Draw a part's own parameters, one cell each."""
    kind = form.value(f"{part}.kind")
    controls = (
        OPTIMIZERS[kind].controls
        if part == "optimizer"
        else SCHEDULES[kind].controls
        if part == "schedule"
        else _SPLIT_CONTROLS
    )
    for control in controls:
        if control.field not in form.value(part):
            continue
        path, key = f"{part}.{control.field}", f"{part}_{kind}_{control.field}"
        with grid.cell():  # type: ignore[attr-defined]
            if control.kind is ControlKind.FLAG:
                st.space("small")
                form.flag(path, control.label, key=key, hint=control.hint)
            elif control.kind is ControlKind.CHOICE:
                form.choice(path, control.label, control.options or {}, key=key, hint=control.hint)
            else:
                form.number(path, control.label, key=key, hint=control.hint)


def _data_and_device(form: TrainForm) -> None:
    grid = st.grid(min_column_width=170)
    for path, label, names in (
        ("dataset", "Data set", DATASET_NAMES),
        ("features", "Features", FEATURE_NAMES),
        ("scaling", "Scaling", SCALINGS.labels),
        ("device", "Device", DEVICE_NAMES),
        ("precision", "Precision", PRECISION_NAMES),
    ):
        with grid.cell():
            form.choice(path, label, names)
            refusal = form.session.refusal
            if refusal.startswith(f"{path}: "):
                st.markdown(f":small[:red[:material/error: {refusal}]]")
    with grid.cell():
        form.number("seed", "Seed", hint=help_for("seed"))
    with grid.cell():
        form.number("label_smoothing", "Label smoothing", hint=help_for("label smoothing"))
    with grid.cell():
        form.number(
            "probability_clip", "Clip probabilities at", hint=help_for("clipped probabilities")
        )
    with grid.cell():
        form.number(
            "gradient_clip_norm", "Clip gradients at norm", hint=help_for("gradient clipping")
        )


def _schedule(form: TrainForm) -> None:
    grid = st.grid(min_column_width=170)
    with grid.cell():
        _kind(form, "schedule", "Learning-rate schedule", SCHEDULES.labels)
    _parameters(form, "schedule", grid)


def _early_stopping(form: TrainForm) -> None:
    if not _part_toggle(
        form,
        "early_stopping",
        "Early stopping",
        {"monitor": "val_loss", "patience": 5, "min_delta": 0.0, "restore_best": True},
    ):
        return
    grid = st.grid(min_column_width=170)
    with grid.cell():
        form.choice("early_stopping.monitor", "Metric", MONITOR_NAMES)
    with grid.cell():
        form.number("early_stopping.patience", "Patience", hint=help_for("patience"))
    with grid.cell():
        form.number(
            "early_stopping.min_delta", "Minimum improvement", hint=help_for("minimum improvement")
        )
    with grid.cell():
        st.space("small")
        form.flag(
            "early_stopping.restore_best",
            "Restore best weights",
            hint=help_for("restore best weights"),
        )


def _augmentation(form: TrainForm) -> None:
    defaults = {"shift": 0.1, "rotation": 10.0, "scale": 0.1, "elastic": 0.0, "elastic_sigma": 5.0}
    if not _part_toggle(form, "augmentation", "Augmentation", defaults):
        return
    grid = st.grid(min_column_width=170)
    for name, label, hint in (
        ("shift", "Shift", help_for("shift")),
        ("rotation", "Rotation", help_for("rotation")),
        ("scale", "Zoom", help_for("zoom")),
        (
            "elastic",
            "Elastic distortion",
            help_for("elastic distortion", "The number is its strength, torchvision's alpha."),
        ),
        ("elastic_sigma", "Elastic smoothness", help_for("elastic smoothness")),
    ):
        with grid.cell():
            form.number(f"augmentation.{name}", label, hint=hint)


def _part_toggle(form: TrainForm, part: str, label: str, defaults: Mapping[str, object]) -> bool:
    """Switch an optional part on, with defaults, or off; says whether it is on."""
    is_on = form.value(part) is not None
    key = form.key(f"{part}_on")
    st.session_state.setdefault(key, is_on)
    st.toggle(label, key=key, on_change=_put_optional, args=(form, part, key, defaults))
    form.own_problems(part)
    return is_on


def _put_optional(form: TrainForm, part: str, key: str, defaults: Mapping[str, object]) -> None:
    wanted = dict(defaults) if st.session_state[key] else None
    form.change(lambda draft: draft.changed(part, wanted))
