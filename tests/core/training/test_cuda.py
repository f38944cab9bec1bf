"""The training core on a real GPU: skipped where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig, with_overrides
from mnist_dash.core.hardware.devices import n_cuda_devices
from mnist_dash.core.training.loop import train
from mnist_dash.core.training.reports import Checkpoint, EpochReport, TrainingResult

pytestmark = pytest.mark.skipif(n_cuda_devices() == 0, reason="no CUDA device here")

OPTIMIZERS = (
    {"kind": "sgd", "momentum": 0.9, "nesterov": True},
    {"kind": "adam"},
    {"kind": "adamw", "weight_decay": 0.01},
    {"kind": "nadam"},
    {"kind": "rmsprop", "momentum": 0.9},
    {"kind": "adadelta", "learning_rate": 1.0},
    {"kind": "adagrad", "learning_rate": 0.01},
    {"kind": "lion", "learning_rate": 0.0001, "weight_decay": 0.01},
)


def on_gpu(preset: str, *overrides: tuple[str, object]) -> RunConfig:
    """Two epochs of a preset on CUDA."""
    return with_overrides(
        PRESETS[preset].config,
        [("epochs", 2), ("device", "cuda"), ("early_stopping", None), *overrides],
    )


def trained(
    config: RunConfig, folder: Path, *, resume: bytes | None = None, stop_after: int | None = None
) -> tuple[TrainingResult, Sequence[EpochReport], bytes]:
    """Train; gives the result, the epochs, and the last checkpoint."""
    epochs: list[EpochReport] = []
    kept: list[Checkpoint] = []
    result = train(
        config,
        data_dir=folder,
        resume=resume,
        on_step=lambda _: None,
        on_epoch=epochs.append,
        on_checkpoint=kept.append,
        should_stop=lambda: stop_after is not None and len(kept) >= stop_after,
    )
    return result, epochs, kept[-1].payload


CONFIGS = {
    "dense": ("mlp_512_256_dropout_l2",),
    "convolutional": ("cnn_9_9_16",),
    "autograd": ("cnn_elu_sgd",),
    "clipped": ("linear_10_10",),
    "bfloat16": ("mlp_512_256", ("precision", "bfloat16")),
    "augmented": (
        "mlp_quick",
        ("augmentation", {"rotation": 10, "shift": 0.1, "scale": 0.1, "elastic": 20.0}),
    ),
    "schedule": ("mlp_quick", ("schedule", {"kind": "one_cycle"})),
    "clipping": ("mlp_quick", ("gradient_clip_norm", 1.0), ("label_smoothing", 0.1)),
    "uneven": ("mlp_quick", ("batch_size", 7001)),
    **{
        f"optimizer-{values['kind']}": ("mlp_quick", ("optimizer", values)) for values in OPTIMIZERS
    },
}


@pytest.mark.parametrize("name", CONFIGS)
def test_runs_repeat_and_resume_bit_for_bit(name: str, tmp_path: Path) -> None:
    """The same seed gives the same weights, also when the run was resumed after its first epoch; and the network has learned."""
    config = on_gpu(*CONFIGS[name])  # type: ignore[arg-type]
    first, epochs, _ = trained(config, tmp_path)
    again, _, _ = trained(config, tmp_path)
    _, _, payload = trained(config, tmp_path, stop_after=1)
    resumed, later, _ = trained(config, tmp_path, resume=payload)
    assert first.weights == again.weights
    assert first.weights == resumed.weights
    assert epochs[-1].running_loss == later[-1].running_loss
    assert first.device == "cuda"
    assert first.test_accuracy is not None
    assert first.test_accuracy > 0.85


@pytest.mark.parametrize(
    "name", ["dense", "clipped", *(name for name in CONFIGS if name.startswith("optimizer"))]
)
def test_gpu_agrees_with_the_processor(name: str, tmp_path: Path) -> None:
    """In float32 and without dropout the first updates' mean loss is the CPU's to 1 in 10,000.

    Seven large batches an epoch: after hundreds of small ones the optimizers that divide by a gradient's size have amplified rounding
    so far that the CPU itself differs by up to 6 in 1,000 between one thread and two.
    """
    preset, *overrides = CONFIGS[name]
    plain = [*overrides, ("precision", "float32"), ("batch_size", 7001), ("epochs", 1)]
    on_cuda = on_gpu(preset if preset != "mlp_512_256_dropout_l2" else "mlp_512_256", *plain)  # type: ignore[arg-type]
    here = with_overrides(on_cuda, [("device", "cpu")])
    gpu, cpu = (trained(config, tmp_path) for config in (on_cuda, here))
    assert gpu[1][0].running_loss == pytest.approx(cpu[1][0].running_loss, rel=1e-4)
    assert gpu[0].test_accuracy == pytest.approx(cpu[0].test_accuracy, abs=0.005)


def test_change_while_training_is_recorded_anew(tmp_path: Path) -> None:
    """A smaller batch and another rate from the second epoch on: the run repeats, and is what a resumed one is."""
    changes = [{"after_epoch": 1, "batch_size": 64, "learning_rate": 0.0005}]
    config = on_gpu("mlp_quick", ("epochs", 3), ("changes", changes))
    first, _, _ = trained(config, tmp_path)
    _, _, payload = trained(config, tmp_path, stop_after=1)
    resumed, _, _ = trained(config, tmp_path, resume=payload)
    assert first.weights == resumed.weights
