"""A kind that is added through its registry is at home everywhere, and nowhere once it is taken out again."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load

from mnist_dash.core.config.run_config import (
    RunConfig,
    TailSplit,
    canonical_json,
    parse_config,
    with_overrides,
)
from mnist_dash.core.data.archives import PACKAGED_ARCHIVES
from mnist_dash.core.data.idx import read_images
from mnist_dash.core.export.onnx_model import onnx_model
from mnist_dash.core.export.script import training_script
from mnist_dash.core.layers import LAYERS, Conv, Dense, Flatten
from mnist_dash.core.network.torch_network import build_sequential
from mnist_dash.core.optimizers import OPTIMIZERS
from mnist_dash.core.scalings import SCALINGS
from mnist_dash.core.schedules import SCHEDULES
from mnist_dash.core.training.backprop import HandwrittenUpdate, is_supported
from mnist_dash.core.training.schedules import learning_rate
from mnist_dash.core.training.update import AutogradUpdate
from mnist_dash.errors import InvalidConfig
from mnist_dash.search.definition.space import FloatRange, SearchSpace
from mnist_dash.search.definition.space_rules import check_space
from mnist_dash.ui.forms.study_draft import StudyDraft, alternatives
from tests.core.training.test_backprop import three_updates
from tests.core.training.test_loop import run
from tests.toy_kinds import LinearSchedule, PeakScaling, Scale, SignDescent, toy_kinds


@pytest.fixture
def toys() -> Iterator[None]:
    """Register the toy kinds for one test."""
    with toy_kinds():
        yield


@pytest.fixture
def config(toys: None) -> RunConfig:
    """Give a network with the toy layer on an image and on a vector, trained with all the other toys."""
    output = Dense(units=10, activation="softmax")
    return RunConfig(
        layers=(
            Conv(filters=4, kernel=5, stride=3),
            Scale(start=2),
            Flatten(),
            Scale(start=0.5),
            Dense(units=16),
            output,
        ),
        optimizer=SignDescent(learning_rate=0.002),
        schedule=LinearSchedule(),
        scaling="peak",
        split=TailSplit(fraction=0.9),
        batch_size=100,
        epochs=2,
    )


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Lay the archives out as torchvision has them, so that nothing is downloaded."""
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in PACKAGED_ARCHIVES.glob("*.gz"):
        (raw / archive.name).write_bytes(archive.read_bytes())
    return tmp_path / "data"


def problems(values: dict[str, object]) -> dict[str, str]:
    """Say what is wrong with a configuration, by path."""
    with pytest.raises(InvalidConfig) as refused:
        parse_config(values)
    return {problem.path: str(problem) for problem in refused.value.problems}


def test_is_validated_and_written(config: RunConfig) -> None:
    """A configuration of toys goes to JSON and back whole, and a path changes one of their fields."""
    assert parse_config(canonical_json(config)) == config
    assert config.model_dump(mode="json")["layers"][1] == {"kind": "scale", "start": 2.0}
    assert with_overrides(config, [("layers.1.start", "3")]).layers[1] == Scale(start=3)
    assert with_overrides(
        config, [("optimizer.kind", "sign_descent"), ("optimizer.keep", 0.1)]
    ).optimizer == SignDescent(learning_rate=0.002, keep=0.1)


def test_its_bounds_hold(toys: None) -> None:
    """A value beyond a toy's bound is named by its path, beside an error of another part."""
    found = problems(
        {
            "layers": [{"kind": "scale", "start": 11}],
            "optimizer": {"kind": "sign_descent", "keep": 2},
        }
    )
    assert set(found) >= {"layers.0.start", "optimizer.keep"}
    assert "10" in found["layers.0.start"]


@pytest.mark.parametrize("part", ["layers", "optimizer", "schedule", "scaling"])
def test_an_unknown_kind_names_the_toys_too(part: str, toys: None) -> None:
    """What is offered in place of a kind that does not exist includes what was registered."""
    toy = {"layers": "scale", "optimizer": "sign_descent", "schedule": "linear", "scaling": "peak"}[
        part
    ]
    values = {"layers": [{"kind": "nonsense"}], "scaling": "nonsense"}.get(
        part, {"kind": "nonsense"}
    )
    assert any(toy in text for text in problems({part: values}).values())


def test_is_unknown_once_it_is_taken_out() -> None:
    """Without the registration there is no trace of them, and a configuration that names one is refused."""
    with toy_kinds():
        assert "scale" in LAYERS
    assert "scale" not in LAYERS
    assert {"sign_descent", "linear", "peak"} & {*OPTIMIZERS, *SCHEDULES, *SCALINGS} == set()
    assert "layers.0.kind" in problems({"layers": [{"kind": "scale"}]})


def test_a_name_is_given_once(toys: None) -> None:
    """A second kind of the same name is refused."""
    with pytest.raises(ValueError, match="scale"):
        LAYERS.register(Scale)


def test_has_shape_and_parameters(config: RunConfig) -> None:
    """The plan counts what torch counts, and names the layer."""
    planned = config.plan[1]
    assert (planned.name, planned.summary) == ("scale_1", "scale from 2")
    assert (planned.output_shape, planned.n_parameters) == ((8, 8, 4), 4)
    assert config.n_parameters == sum(
        value.numel() for value in build_sequential(config).parameters()
    )


def test_gradient_by_hand_equals_autograds(config: RunConfig) -> None:
    """Three updates by hand and by autograd end at the same parameters."""
    assert is_supported(config)
    smooth = with_overrides(config, [("optimizer.kind", "sgd")])
    by_autograd, expected = three_updates(AutogradUpdate, smooth, "float32")
    by_hand, found = three_updates(HandwrittenUpdate, smooth, "float32")
    assert [float(step.loss) for step in by_hand] == pytest.approx(
        [float(step.loss) for step in by_autograd], rel=1e-5
    )
    assert all(
        torch.allclose(one, other, atol=1e-5) for one, other in zip(found, expected, strict=True)
    )


def test_learns_and_goes_on_bit_for_bit(config: RunConfig, data_dir: Path) -> None:
    """The loss falls, the toy's factors move and are measured, and a resumed run ends where an uninterrupted one does."""
    whole = run(config, data_dir)
    assert whole.epochs[1].train_loss < whole.epochs[0].train_loss < 1.5
    weights = load(whole.result.weights)
    assert float((weights["2.weight"] - 2).abs().max()) > 0.01
    assert '"scale_2"' in str(whole.epochs[1].layers)
    resumed = run(config, data_dir, resume=whole.checkpoints[0].payload)
    assert resumed.result.weights == whole.result.weights
    assert resumed.checkpoints[-1].payload[-4096:] == whole.checkpoints[-1].payload[-4096:]


def test_rates_follow_the_schedule(config: RunConfig, tmp_path: Path) -> None:
    """The rate falls in a straight line, in the engine as in the exported script."""
    path = tmp_path / "train.py"
    path.write_text(training_script(config))
    rate = runpy.run_path(str(path))["rate"]
    assert learning_rate(config, config.n_steps - 1) == pytest.approx(0.002 * 0.1)
    steps = (0, 1, config.n_steps // 2, config.n_steps - 1)
    assert [rate(step) for step in steps] == pytest.approx(
        [learning_rate(config, step) for step in steps]
    )


def test_onnx_equals_torch(config: RunConfig) -> None:
    """The exported model gives torch's probabilities, scaling included."""
    images = read_images("mnist", "test", PACKAGED_ARCHIVES)[:200]
    network = build_sequential(config).eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for value in network.parameters():
            value.add_(torch.randn(value.shape, generator=generator), alpha=0.1)
        inputs = PeakScaling().fit(torch.from_numpy(images).flatten(1))(
            torch.from_numpy(images).flatten(1)
        )
        expected = torch.softmax(network(inputs.view(-1, 1, 28, 28)), 1).numpy()
    weights = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    model = onnx_model(config, weights, scaling=PeakScaling().fit_values(images))
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (found,) = session.run(["probabilities"], {"images": images[:, None]})
    assert np.abs(found - expected).max() < 1e-5


def test_script_s_optimizer_equals_the_engine_s(config: RunConfig, tmp_path: Path) -> None:
    """The same gradients lead to the same parameters."""
    path = tmp_path / "train.py"
    path.write_text(training_script(config))
    mine, theirs = torch.zeros(5), torch.nn.Parameter(torch.zeros(5))
    engine, script = (
        config.optimizer.build([mine]),
        runpy.run_path(str(path))["make_optimizer"]([theirs]),
    )
    for t in (1, 2, 3):
        theirs.grad = torch.randn(5, generator=torch.Generator().manual_seed(t))
        engine.apply([theirs.grad.clone()], *engine.factors(config.optimizer.learning_rate, t))
        script.step()
    assert torch.equal(mine, theirs.detach())


@pytest.mark.slow
def test_script_runs_and_gives_the_run_s_accuracy(
    config: RunConfig, data_dir: Path, tmp_path: Path
) -> None:
    """The exported script evaluates a run's weights to its accuracy, and trains on its own about as well."""
    result = run(config, data_dir).result
    (tmp_path / "train.py").write_text(training_script(config))
    (tmp_path / "weights.safetensors").write_bytes(result.weights)
    said = {}
    for what, options in (("evaluated", ["--evaluate", "weights.safetensors"]), ("trained", [])):
        command = [sys.executable, "train.py", "--data", str(data_dir), *options]
        said[what] = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
    accuracies = {
        what: float(text.split("test loss")[1].split()[-1]) for what, text in said.items()
    }
    assert result.test_accuracy is not None
    assert accuracies["evaluated"] == pytest.approx(result.test_accuracy, abs=1e-4)
    assert accuracies["trained"] == pytest.approx(result.test_accuracy, abs=0.03)


def test_a_study_searches_its_field(config: RunConfig) -> None:
    """A space over a toy's fields configures trials, its bounds are checked, and a draft proposes the toy's own range."""
    space = SearchSpace(
        base=config, parameters=(FloatRange(path="layers.1.start", low=0.5, high=2, log=True),)
    )
    assert check_space(space) == ()
    assert space.configure(space.from_unit([0.5])).layers[1] == Scale(start=1)
    beyond = SearchSpace(
        base=config, parameters=(FloatRange(path="layers.1.start", low=0.5, high=20),)
    )
    assert [problem.path for problem in check_space(beyond)] == ["space.layers.1.start"]
    draft = StudyDraft.from_config(config, origin="preset:mlp_quick")
    assert "layers.1.start" in draft.other_settings
    chosen = draft.with_setting("layers.1.start").with_ticked("optimizer.keep")
    fields = chosen.parameters["layers.1.start"]
    assert (fields["low"], fields["high"], fields["log"]) == (0.5, 2.0, True)
    assert chosen.parameters["optimizer.keep"]["low"] == 0.5
    assert chosen.check().problems == ()
    assert "sign_descent" in alternatives("optimizer.kind")
