"""Kinds that are added through their registries can be chosen and set on the page, which knows nothing of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from mnist_dash.runs.store.run_store import Store
from tests.toy_kinds import LinearSchedule, Scale, SignDescent, toy_kinds
from tests.ui.conftest import texts
from tests.ui.pages.test_train import press, type_into


@pytest.fixture(autouse=True)
def toys() -> Iterator[None]:
    """Register the toy kinds for one test."""
    with toy_kinds():
        yield


def choose(app: AppTest, label: str, kind: str) -> AppTest:
    """Choose in the box with this label."""
    return next(box for box in app.selectbox if box.label == label).select(kind).run()


def test_page_editor_offers_and_sets_new_kinds(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """A toy of each part is chosen, its field typed, and what is queued says so."""
    app = open_page("train")
    press(app, "Scale")
    type_into(app, "Start", "2.5")
    choose(app, "Optimizer", "sign_descent")
    type_into(app, "Keep", "0.75")
    app.session_state["train_more_settings"] = True
    app.run()
    choose(app, "Learning-rate schedule", "linear")
    type_into(app, "Final share", "0.2")
    choose(app, "Scaling", "peak")
    press(app, "Train")
    config = store.runs()[0].config
    assert config.layers[-2] == Scale(start=2.5)
    assert (config.optimizer, config.schedule) == (
        SignDescent(keep=0.75),
        LinearSchedule(final=0.2),
    )
    assert config.scaling == "peak"


def test_page_editor_refuses_what_a_new_kind_does_not_take(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """A value beyond a toy's bounds is answered beside its field, and nothing is queued."""
    app = press(open_page("train"), "Scale")
    app = type_into(app, "Start", "99")
    assert "99" in texts(app)
    assert next(button for button in app.button if button.label == "Train").disabled
    assert store.count() == 0
