"""The state of a training between two epochs as safetensors bytes: tensors by name, and one JSON object of counters.

Learning rates and random states need no tensors of their own: they are functions of the step, the seed and the epoch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from mnist_dash.core.config.changes import hash_until
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.training.stopping import BestEpoch
from mnist_dash.errors import ArtifactError

FORMAT = 1


@dataclass(frozen=True)
class Counters:
    """Everything of a training's state that is a number."""

    config_hash: str
    """Of the configuration until `epoch`, see `core.config.changes.hash_until`."""
    precision: str
    epoch: int = 0
    step: int = 0
    seconds_training: float = 0.0
    seconds_evaluation: float = 0.0
    best: BestEpoch = field(default_factory=BestEpoch)


def pack(counters: Counters, tensors: Mapping[str, Sequence[Tensor]]) -> bytes:
    """Write counters and named lists of tensors; layouts in memory are not kept, values are.

    Tensors may be of any shape and type.
    """
    flat = {
        f"{name}.{index}": tensor.detach().to("cpu", copy=False).contiguous()
        for name, group in tensors.items()
        for index, tensor in enumerate(group)
    }
    return save(flat, {"format": str(FORMAT), "counters": json.dumps(asdict(counters))})


def unpack(payload: bytes, config: RunConfig) -> tuple[Counters, dict[str, list[Tensor]]]:
    """Read what `pack` wrote.

    Tensors have any shape and type, on the CPU.

    Raises:
        ArtifactError: the bytes are no checkpoint, or that of a configuration that differs before its epoch.
    """
    try:
        header = json.loads(payload[8 : 8 + int.from_bytes(payload[:8], "little")])
        values = json.loads(header["__metadata__"]["counters"])
        counters = Counters(**{**values, "best": BestEpoch(**values["best"])})
        flat = load(payload)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"The checkpoint is damaged: {error}. Start the run anew.") from error
    expected = hash_until(config, counters.epoch)
    # The whole configuration's is what former versions wrote.
    if counters.config_hash not in (
        expected,
        config.hash,
    ):
        raise ArtifactError(
            f"The checkpoint is of another configuration, {counters.config_hash} instead of {expected} until epoch {counters.epoch}. "
            "Start the run anew."
        )
    groups: dict[str, list[Tensor]] = {}
    for name, index in sorted(
        (name, int(index)) for name, _, index in (key.rpartition(".") for key in flat)
    ):
        groups.setdefault(name, []).append(flat[f"{name}.{index}"])
    return counters, groups


def copy_into(targets: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Copy values into tensors that keep their layout and device.

    Pairs have the same shape; they may be of any shape.
    """
    with torch.no_grad():
        for target, value in zip(targets, values, strict=True):
            target.copy_(value)
