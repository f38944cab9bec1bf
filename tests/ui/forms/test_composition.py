"""Drafts: what they say about themselves, and their links."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.layers import LAYERS
from mnist_dash.ui.forms.composition import PART_KINDS, Draft
from mnist_dash.ui.forms.fields import parse_typed


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_s_link_is_its_name(name: str) -> None:
    """Nothing changed, nothing in the address but the preset."""
    draft = Draft.from_preset(name)
    assert draft.link() == {"preset": name}
    assert draft.check().config == PRESETS[name].config


CHANGES = st.one_of(
    st.tuples(st.just("layer"), st.sampled_from(sorted(LAYERS))),
    st.tuples(st.just("remove"), st.integers(0, 3)),
    st.tuples(st.just("move"), st.integers(0, 3)),
    st.tuples(st.just("epochs"), st.one_of(st.integers(), st.text(max_size=5), st.none())),
    st.tuples(st.just("optimizer"), st.sampled_from(sorted(PART_KINDS["optimizer"]))),
    st.tuples(st.just("schedule"), st.sampled_from(sorted(PART_KINDS["schedule"]))),
)


@given(st.sampled_from(sorted(PRESETS)), st.lists(CHANGES, max_size=6))
def test_any_draft_comes_back_from_its_link(name: str, changes: list[tuple[str, Any]]) -> None:
    """Right or wrong, a draft and the draft of its link are the same and equally right."""
    draft = Draft.from_preset(name)
    for what, value in changes:
        match what:
            case "layer":
                draft = draft.with_layer(value)
            case "remove":
                draft = draft.without_layer(value)
            case "move":
                draft = draft.with_layer_moved(value, 1)
            case "epochs":
                draft = draft.changed("epochs", value)
            case _:
                draft = draft.with_part(what, value)  # type: ignore[arg-type]
    link = draft.link()
    again = Draft.from_link(str(link["preset"]), list(link.get("set", [])))
    assert json.dumps(again.tree, sort_keys=True) == json.dumps(draft.tree, sort_keys=True)
    assert again.check().problems == draft.check().problems
    assert len(draft.layer_keys) == len(draft.tree["layers"])


def test_layers_keep_their_keys_when_they_move() -> None:
    """A widget belongs to its layer, not to its place."""
    draft = Draft.from_preset("mlp_512_256")
    moved = draft.with_layer_moved(1, 1)
    assert moved.layer_keys == (
        draft.layer_keys[0],
        draft.layer_keys[2],
        draft.layer_keys[1],
        draft.layer_keys[3],
    )
    assert moved.tree["layers"][2]["units"] == draft.tree["layers"][1]["units"]


def test_plans_the_layers_before_the_wrong_one() -> None:
    """Shapes are known up to the first layer that does not fit."""
    draft = Draft.from_preset("cnn_32_64_5x5").changed("layers.2.kernel", "x")
    checked = draft.check()
    assert [plan.output_shape for plan in checked.plans] == [(28, 28, 32), (14, 14, 32)]
    assert checked.at("layers.2.kernel")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("1e3", 1000),
        ("0.5", 0.5),
        (" 1e-3 ", 0.001),
        ("", None),
        ("abc", "abc"),
        ("-1", -1),
    ],
)
def test_reads_what_was_typed(text: str, value: object) -> None:
    """Numbers become numbers, all else stays for the rules."""
    assert parse_typed(text) == value
