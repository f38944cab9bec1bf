"""The draft of a study: ticking, ranges, what is wrong and where, and the link."""

from __future__ import annotations

import base64
import json
import re
import zlib

import pytest

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import with_overrides
from mnist_dash.errors import InvalidInput
from mnist_dash.search.definition.race import race_of
from mnist_dash.search.definition.study_files import parse_study, write_study
from mnist_dash.ui.forms.composition import FIRST_PRESET
from mnist_dash.ui.forms.study_draft import StudyDraft

FILE = """
name: by-hand
question: What is it?
base: cnn_30_15
space:
  optimizer.kind: [sgd, rmsprop, adam]
  optimizer.learning_rate: {low: 1e-4, high: 1, log: true}
  optimizer.momentum: {low: 0, high: 0.9, step: 0.3, when: {optimizer.kind: sgd}}
  batch_size: [32, 64]
  conv.n_layers: {low: 1, high: 3}
  conv.1.filters: {low: 8, high: 32, log: true}
objectives: [val_loss, parameters]
sampler: {kind: nsga2, population_size: 10}
budget: {trials: 40, minutes: 20}
parallelism: 2
seeds: 2
seed: 9
keep: none
"""


def drafted(*paths: str, preset: str = FIRST_PRESET) -> StudyDraft:
    """Start from a preset and tick settings."""
    return StudyDraft.from_preset(preset).with_ticked(*paths)


def said(draft: StudyDraft, *place: str) -> list[str]:
    """What is wrong at a place."""
    return [problem.fault for problem in draft.check().under(place)]


def test_begins_with_a_study_that_could_be_launched() -> None:
    """Nothing has to be chosen but a press of the button."""
    for name in PRESETS:
        definition = StudyDraft.from_preset(name).check().definition
        assert definition is not None, name
        assert definition.space.paths == ("optimizer.learning_rate",)
        assert not definition.space.base.leaks_test_set


def test_a_base_that_leaks_gets_a_split() -> None:
    """A study does not choose by the test set."""
    draft = StudyDraft.from_preset("cnn_32_64_5x5")
    assert (draft.had_leak, draft.base.split.kind) == (True, "tail")
    assert not StudyDraft.from_preset("mlp_quick").had_leak


def test_ticks_keep_the_order_in_which_parents_come_first() -> None:
    """Whatever was ticked first."""
    draft = drafted("batch_size").with_ticked("optimizer.kind").with_ticked("optimizer.momentum")
    assert list(draft.parameters) == [
        "optimizer.kind",
        "optimizer.learning_rate",
        "optimizer.momentum",
        "batch_size",
    ]
    definition = draft.check().definition
    assert definition is not None
    assert definition.space.parameter("optimizer.momentum").when[0].values == ("sgd", "rmsprop")


def test_what_needs_another_setting_goes_with_it() -> None:
    """Momentum was there because of the other optimizers."""
    draft = drafted("optimizer.kind", "optimizer.momentum").without("optimizer.kind")
    assert list(draft.parameters) == ["optimizer.learning_rate"]
    assert not draft.is_available("optimizer.momentum")


def test_an_untouched_range_follows_what_is_ticked_beside_it_and_a_typed_one_stays() -> None:
    """Beside SGD the learning rate goes higher, unless somebody said how high."""
    assert drafted("optimizer.kind").value(("parameters", "optimizer.learning_rate", "high")) == 0.1
    typed = StudyDraft.from_preset(FIRST_PRESET).changed(
        ("parameters", "optimizer.learning_rate", "high"), 0.05
    )
    assert (
        typed.with_ticked("optimizer.kind").value(("parameters", "optimizer.learning_rate", "high"))
        == 0.05
    )


def test_conditions_follow_the_kinds_that_are_listed() -> None:
    """A further optimizer that has the setting joins its condition; without any the setting says so."""
    draft = drafted("optimizer.kind", "optimizer.momentum")
    only_adam_and_sgd = draft.changed(("parameters", "optimizer.kind", "values"), ["adam", "sgd"])
    assert only_adam_and_sgd.value(("parameters", "optimizer.momentum", "when"))[0]["values"] == [
        "sgd"
    ]
    without = draft.changed(("parameters", "optimizer.kind", "values"), ["adam", "lion"])
    assert said(without, "space", "optimizer.momentum") == [
        "no optimizer that is explored has momentum"
    ]
    all_of_them = draft.changed(("parameters", "optimizer.kind", "values"), ["rmsprop", "sgd"])
    assert all_of_them.value(("parameters", "optimizer.momentum", "when")) == []


@pytest.mark.parametrize(
    ("place", "value", "where", "rule"),
    [
        (("parameters", "batch_size", "low"), 4096, ("space", "batch_size"), "is above high"),
        (
            ("parameters", "batch_size", "low"),
            0,
            ("space", "batch_size"),
            "low, 0, has no logarithm",
        ),
        (
            ("parameters", "batch_size", "low"),
            "many",
            ("space", "batch_size", "low"),
            "'many' is no whole number",
        ),
        (
            ("parameters", "batch_size", "low"),
            None,
            ("space", "batch_size", "low"),
            "none is no whole number",
        ),
        (
            ("parameters", "batch_size", "high"),
            90_000,
            ("space", "batch_size"),
            "90000 is too large",
        ),
        (
            ("parameters", "batch_size", "high"),
            55_000,
            ("space", "batch_size"),
            "55,000 is more than the training part has",
        ),
        (
            ("parameters", "batch_size", "as"),
            "list",
            ("space", "batch_size"),
            "its list of values is empty",
        ),
        (("sampler", "n_startup_trials"), 0, ("sampler", "n_startup_trials"), "0 is too small"),
        (("budget", "trials"), None, ("budget",), "the study would never end"),
        (("budget", "minutes"), -1, ("budget", "minutes"), "-1 is too small"),
        (("epochs",), 0, ("epochs",), "0 is too small"),
        (("parallelism",), 1000, ("parallelism",), "1000 is too large"),
        (("name",), "x" * 65, ("name",), "65 characters are too many"),
        (("objectives",), [], ("objectives",), "no objective is chosen"),
        (
            ("objectives",),
            ["val_loss", "val_accuracy", "seconds", "parameters"],
            ("objectives",),
            "4 objectives are too many",
        ),
    ],
)
def test_what_is_wrong_is_named_at_its_place(
    place: tuple[str, ...], value: object, where: tuple[str, ...], rule: str
) -> None:
    """The rule stands where it was broken, and there is no study."""
    draft = drafted("batch_size").changed(place, value)
    assert draft.check().definition is None
    (problem,) = draft.check().under(where)
    assert rule in problem.fault
    assert problem.allowed or problem.remedy


def test_nothing_ticked_is_a_problem() -> None:
    """A study explores something."""
    assert said(
        StudyDraft.from_preset(FIRST_PRESET).without("optimizer.learning_rate"), "space"
    ) == ["nothing is explored"]


def test_a_pruner_wants_one_objective() -> None:
    """The rules between parts are checked too."""
    draft = (
        drafted()
        .with_method("pruner", "median")
        .changed(("objectives",), ["val_accuracy", "parameters"])
    )
    assert said(draft, "pruner") == ["median cannot compare trials by 2 objectives"]


def test_a_grid_gets_values_in_one_step() -> None:
    """Ranges without steps are refused, and become lists on request; the grid's end is its last point."""
    draft = drafted("batch_size", "dense.dropout", "optimizer.kind").with_method("sampler", "grid")
    assert draft.tree["budget"]["trials"] is None
    assert said(draft, "space") == ["a continuous range has no end of values for a grid"] * 2
    definition = draft.with_lists().check().definition
    assert definition is not None
    assert definition.n_grid == 3 * 5 * 5 * 5
    assert draft.with_lists().with_method("sampler", "tpe").tree["budget"]["trials"] == 30


def test_a_list_becomes_a_range_and_a_range_a_list() -> None:
    """Nothing is lost on the way."""
    draft = drafted("batch_size").with_shape("batch_size", "list")
    assert draft.value(("parameters", "batch_size", "values")) == [32, 64, 128, 256, 512]
    back = draft.with_shape("batch_size", "range")
    assert (
        back.value(("parameters", "batch_size", "low")),
        back.value(("parameters", "batch_size", "high")),
    ) == (32, 512)
    listed = StudyDraft.from_definition(parse_study(FILE), origin="file:x").with_shape(
        "batch_size", "range"
    )
    assert (
        listed.value(("parameters", "batch_size", "low")),
        listed.value(("parameters", "batch_size", "high")),
    ) == (32, 64)


def test_another_base_keeps_what_was_typed() -> None:
    """Ranges that were proposed are proposed anew, those that were typed stay, what the base lacks goes."""
    draft = drafted("conv.filters", "batch_size", "epochs", preset="cnn_30_15").changed(
        ("parameters", "epochs", "high"), 7
    )
    other = draft.with_base(PRESETS["mlp_512_256"].config, origin="preset:mlp_512_256")
    assert list(other.parameters) == ["optimizer.learning_rate", "batch_size", "epochs"]
    assert other.value(("parameters", "epochs", "high")) == 7
    assert other.value(("parameters", "batch_size", "high")) == 2048


def test_another_base_keeps_settings_that_are_not_proposed_where_it_has_them() -> None:
    """An epsilon is the same anywhere, a flatten layer has no penalty."""
    draft = (
        drafted("dense.n_layers", preset="cnn_9_9_16")
        .with_setting("optimizer.epsilon")
        .with_setting("layers.4.l2")
    )
    other = draft.with_base(PRESETS["mlp_512_256"].config, origin="preset:mlp_512_256")
    assert list(other.parameters) == [
        "optimizer.learning_rate",
        "dense.n_layers",
        "optimizer.epsilon",
    ]


def test_epochs_of_a_trial_are_the_bases_or_what_was_typed() -> None:
    """Where they are explored what was typed counts for nothing."""
    draft = drafted().changed(("epochs",), 2)
    checked = draft.check().definition
    assert checked is not None
    assert checked.space.base.epochs == 2
    explored = draft.with_ticked("epochs").check().definition
    assert explored is not None
    assert explored.space.base.epochs == PRESETS[FIRST_PRESET].config.epochs


def test_a_study_file_comes_back_as_it_is() -> None:
    """Conditions that were written by hand stay, and so does a setting that is not proposed."""
    definition = parse_study(FILE)
    draft = StudyDraft.from_definition(definition, origin="file:by_hand")
    assert draft.check().definition == definition
    assert draft.changed(("question",), "What is it?").check().definition == definition
    assert parse_study(write_study(definition)) == definition


@pytest.mark.parametrize("origin", ["preset", "file", "run"])
def test_the_link_brings_the_draft_back(origin: str) -> None:
    """Base, ranges, conditions, methods and what is still wrong."""
    draft = {
        "preset": drafted(
            "optimizer.kind", "optimizer.momentum", preset="linear_10_10"
        ).with_method("pruner", "hyperband"),
        "file": StudyDraft.from_definition(parse_study(FILE), origin="file:by_hand"),
        "run": StudyDraft.from_config(
            with_overrides(PRESETS["cnn_9_9_16"].config, [("seed", 5), ("epochs", 2)]),
            origin="run:abc",
        ),
    }[origin].changed(("parameters", "optimizer.learning_rate", "low"), "often")
    text = draft.link()
    back = StudyDraft.from_link(text)
    assert (back.base, back.origin, back.tree, back.had_leak) == (
        draft.base,
        draft.origin,
        draft.tree,
        draft.had_leak,
    )
    assert re.fullmatch(r"[\w-]+", text, re.ASCII)
    assert len(text) < 900
    assert back.link() == text


def packed(content: object) -> str:
    """Write a link by hand."""
    return (
        base64.urlsafe_b64encode(zlib.compress(json.dumps(content).encode())).decode().rstrip("=")
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "%%%",
        StudyDraft.from_preset(FIRST_PRESET).link()[:-9],
        "x" * 30_000,
        packed([]),
        packed({"preset": "nope", "set": [], "tree": {}}),
        packed({"preset": "mlp_quick", "set": ["epochs=0"], "tree": {}}),
        packed({"preset": "mlp_quick", "set": [], "tree": {"sampler": {"kind": "magic"}}}),
        packed({"preset": "mlp_quick", "set": [], "tree": {"parameters": {"epochs": 3}}}),
        packed(
            {"preset": "mlp_quick", "set": [], "tree": {"parameters": {"epochs": {"as": "range"}}}}
        ),
        packed(
            {
                "preset": "mlp_quick",
                "set": [],
                "tree": {"parameters": {"epochs": {"number": "int", "when": [1]}}},
            }
        ),
        packed({"preset": "mlp_quick", "set": [], "tree": {"objectives": ["test_accuracy"]}}),
        packed({"preset": "mlp_quick", "set": [], "tree": {"budget": 3}}),
        base64.urlsafe_b64encode(zlib.compress(b'"' + b"x" * 2_000_000 + b'"')).decode(),
    ],
)
def test_a_bad_link_is_refused_in_a_sentence(text: str) -> None:
    """Cut off, altered or made to harm."""
    with pytest.raises(InvalidInput, match="link"):
        StudyDraft.from_link(text)


def test_names_itself_after_what_it_explores() -> None:
    """Short enough for a name, and a name."""
    assert drafted("batch_size").proposed_name == "mlp-quick-learning-rate-batch-size"
    assert (
        drafted("batch_size", "dense.units", "dense.dropout").proposed_name
        == "mlp-quick-learning-rate-batch-size-2-more"
    )
    assert (
        len(
            drafted(preset="mlp_512_256_early_stopping")
            .with_ticked("dense.n_layers", "conv.batch_norm")
            .proposed_name
        )
        <= 64
    )


@pytest.mark.parametrize(
    "preset",
    ["mlp_quick", "cnn_elu_sgd", "mlp_512_256_early_stopping", "cnn_9_9_16", "linear_10_10"],
)
def test_any_other_setting_can_be_explored(preset: str) -> None:
    """Each is a range or a list about the base's value, or says by its rule where that goes too far; none leads nowhere."""
    draft = StudyDraft.from_preset(preset).without("optimizer.learning_rate")
    assert "optimizer.epsilon" in draft.other_settings or preset in ("linear_10_10", "cnn_elu_sgd")
    for path in draft.other_settings:
        checked = draft.with_setting(path).check()
        assert checked.definition is not None or checked.under(("space", path)), path
        assert not [problem for problem in checked.problems if "no such field" in problem.fault]
    assert not {"seed", "dataset", "device", "features"} & set(draft.other_settings)


def test_words_are_listed_and_numbers_ranged() -> None:
    """What was explored once is not offered again."""
    draft = (
        StudyDraft.from_preset("mlp_quick")
        .with_setting("layers.1.activation")
        .with_setting("layers.1.l2")
    )
    assert (
        draft.value(("parameters", "layers.1.activation", "values")),
        draft.value(("parameters", "layers.1.l2", "high")),
    ) == (
        ["relu"],
        0.1,
    )
    typed = draft.changed(("parameters", "layers.1.activation", "values"), ["relu", "tanh"])
    definition = typed.check().definition
    assert definition is not None
    assert definition.space.paths == (
        "optimizer.learning_rate",
        "layers.1.activation",
        "layers.1.l2",
    )
    assert not {"layers.1.activation", "layers.1.l2"} & set(draft.other_settings)
    assert StudyDraft.from_link(typed.link()).tree == typed.tree


def test_a_race_stays_one_in_its_link() -> None:
    """A draft made from a race, of a file say, and the address that it is put into."""
    draft = StudyDraft.from_definition(
        race_of(PRESETS["mlp_quick"].config, "batch_size", "64, 128"), origin="file:race"
    )
    for each in (draft, StudyDraft.from_link(draft.link())):
        definition = each.check(name="race").definition
        assert definition is not None
        assert definition.race
