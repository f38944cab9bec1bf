"""Study files as people type them: numbers, doubled keys, aliases, and words of our own for everything that is wrong."""

from __future__ import annotations

import pytest

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import InvalidStudy
from mnist_dash.search.definition.space import Choice, FloatRange, IntRange, SearchSpace
from mnist_dash.search.definition.space_rules import check_space, notes
from mnist_dash.search.definition.study_files import parse_study

SPACE = "space:\n  optimizer.learning_rate: [1e-4, 1e-3]\n"


def _said(text: str) -> str:
    with pytest.raises(InvalidStudy) as refused:
        parse_study(text)
    return str(refused.value)


@pytest.mark.parametrize(
    ("space", "values"),
    [
        ("optimizer.learning_rate: [1e-4, 1e-3]", (0.0001, 0.001)),
        ("batch_size: [1_024, '2,048', 1e2]", (1024, 2048, 100)),
        ("layers.1.units: ['8', 010]", (8, 10)),
        ("optimizer.kind: [sgd, adam]", ("sgd", "adam")),
        ("conv.batch_norm: [true, false]", (True, False)),
    ],
)
def test_lists_take_numbers_as_people_write_them(space: str, values: tuple[object, ...]) -> None:
    """What YAML takes for text is a number where the setting is one, as in ranges."""
    base = "base: cnn_9_9_16\nset: {split.kind: tail}\n" if space.startswith("conv") else ""
    parameter = parse_study(f"name: x\n{base}space:\n  {space}\n").space.parameters[0]
    assert isinstance(parameter, Choice)
    assert parameter.values == values
    assert list(map(type, parameter.values)) == list(map(type, values))


def test_settings_of_the_base_take_them_too() -> None:
    """Thousands with commas and powers of ten, in a part or by a path."""
    base = parse_study(
        f"name: x\nset: {{batch_size: '1,024', optimizer: {{kind: adam, learning_rate: 1e-4}}}}\n{SPACE}"
    ).space.base
    assert (base.batch_size, base.optimizer.learning_rate) == (1024, 0.0001)


def test_a_name_may_be_a_number() -> None:
    """What is typed as a name is one."""
    assert parse_study(f"name: 2024\n{SPACE}").name == "2024"


WRONG = {
    "name: x\nspace:\n  optimizer.learning_rate: [1e-4, 0.0001]\n": "0.0001 is listed twice",
    "name: x\nspace:\n  optimizer.learning_rate: [1, 1.0]\n": "1 is listed twice",
    "name: x\nspace:\n  batch_size: [true, 64]\n": "true is no number",
    "name: x\nspace:\n  epochs: [1.000, 2]\n": "'1.000' is no whole number",
    "name: x\nspace:\n  batch_size: []\n": "an empty list stands where a list of values is wanted",
    "name: x\nspace:\n  batch_size: [[1], 2]\n": "a list stands where a single value is wanted",
    "name: x\nspace: []\n": "nothing is explored",
    "name: x\nspace:\n  epochs: {low: 1, hihg: 3}\n": "Did you mean high?",
    "name: x\nspace:\n  layers.1.activation: [ReLU]\n": "Did you mean relu?",
    f"name: x\nname: y\n{SPACE}": "the key 'name' is written twice",
    f"name: yes\n{SPACE}": "true is no text",
    f"name: [a]\n{SPACE}": "a list is no text",
    f"name: x\nobjectives: []\n{SPACE}": "0 objectives are too few (1 to 3)",
    f"name: x\nobjective: val_acuracy\n{SPACE}": "Did you mean val_accuracy?",
    f"name: x\nset: {{lr: 0.1}}\n{SPACE}": "Did you mean optimizer.learning_rate?",
    f"name: x\nset: {{epochs: 1.000}}\n{SPACE}": "'1.000' is ambiguous where a whole number is wanted",
    f"name: x\nset: {{optimizer: adam}}\n{SPACE}": "Write optimizer.kind=adam.",
    f"name: x\nseeds: true\n{SPACE}": "true is no whole number",
    f"name: x\nbudget: many\n{SPACE}": "'many' is no whole number",
    f"name: x\nsampler: []\n{SPACE}": "an empty list stands where a name is wanted",
    f"name: x\nbase: &a mlp_quick\nquestion: *a\n{SPACE}": "the alias *a repeats what stands elsewhere",
    "": "it is empty",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_in_our_words(text: str) -> None:
    """The value, what is allowed or near, and nothing of pydantic's or of the parser's classes."""
    said = _said(text)
    assert WRONG[text] in said
    assert not [
        word
        for word in ("Input should", "valid ", "pydantic", "MarkedYAML", "; got")
        if word in said
    ]


def test_a_file_of_aliases_is_refused_at_once() -> None:
    """A few hundred bytes that stand for gigabytes are not unpacked."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for former, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{former}'] * 9)}]")
    assert "the alias *a" in _said("\n".join(lines))


def test_bounds_that_steps_do_not_reach() -> None:
    """The rules look at the values that are drawn, and a bound that never is one is said."""
    space = parse_study("name: x\nspace:\n  batch_size: {low: 10, high: 100, step: 40}\n").space
    assert notes(space) == ("batch_size: 100 is never drawn; steps of 40 from 10 end at 90.",)
    smoothing = parse_study(
        "name: x\nspace:\n  label_smoothing: {low: 0, high: 0.5, step: 0.3}\n"
    ).space
    assert smoothing.parameters[0].extremes == (0.0, 0.3)
    assert (
        notes(parse_study("name: x\nspace:\n  batch_size: {low: 10, high: 90, step: 40}\n").space)
        == ()
    )


def test_batches_of_one_image_before_batch_normalisation() -> None:
    """A range that holds a batch size which leaves a single image is refused, wherever in it that is."""
    layers = [
        {"kind": "flatten"},
        {"kind": "batch_norm"},
        {"kind": "dense", "units": 10, "activation": "softmax"},
    ]
    base = RunConfig.model_validate({"layers": layers, "split": {"kind": "tail", "fraction": 0.1}})
    (problem,) = check_space(
        SearchSpace(base=base, parameters=(IntRange(path="batch_size", low=8, high=64),))
    )
    assert problem.path == "space.batch_size"
    assert problem.fault.startswith("11 leaves a last batch of 1 image (54,000 = 4,909 x 11 + 1)")
    rates = FloatRange(path="optimizer.learning_rate", low=0.001, high=0.01)
    assert check_space(SearchSpace(base=base, parameters=(rates,))) == ()
