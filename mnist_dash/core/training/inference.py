"""A network's outputs and loss on a whole part of a data set, dropout off."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mnist_dash.core.data.dataset import Part
from mnist_dash.core.network.torch_network import Network
from mnist_dash.core.training.update import cross_entropy

BATCH_CONVOLUTIONAL = 100
"""Images a batch of a convolutional network: its activations stay in the processor's caches."""
BATCH_DENSE = 2000
BATCH_CUDA = 5000


class Interrupted(Exception):
    """Somebody asked to stop while a part was being evaluated."""


@dataclass(frozen=True)
class Outputs:
    """What a network makes of one part."""

    loss: float
    """Mean categorical cross-entropy, no label smoothing, plus the L2 penalty."""
    accuracy: float
    probabilities: npt.NDArray[np.float32] | None
    """``(N, 10)``, rows in the part's order; None unless asked for."""


def evaluate(
    network: Network,
    part: Part,
    *,
    scale: Callable[[Tensor], Tensor],
    precision: str,
    clip: tuple[float, float] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    keep_probabilities: bool = False,
) -> Outputs:
    """Run a network over a part without changing it.

    Its probabilities are ``(N, 10)`` float32.

    Args:
        network: the network; dropout is off, batch normalisation uses its running statistics.
        part: images and labels, on the network's device.
        scale: the scaling of the run's data.
        precision: ``float32`` or ``bfloat16``, as the network is trained.
        clip: of the loss, from `mnist_dash.core.training.update.clip_bounds`.
        should_stop: asked before every batch.
        keep_probabilities: whether to return the softmax of every image.

    Raises:
        Interrupted: `should_stop` said yes.
    """
    device = part.images.device
    size = (
        BATCH_CUDA
        if device.type == "cuda"
        else BATCH_CONVOLUTIONAL
        if network.is_convolutional
        else BATCH_DENSE
    )
    logits = torch.empty((len(part), 10), device=device)
    with (
        torch.inference_mode(),
        torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"),
    ):
        for start in range(0, len(part), size):
            if should_stop():
                raise Interrupted
            logits[start : start + size] = network.logits(
                scale(part.images[start : start + size]), training=False
            )
    with torch.inference_mode():
        loss = cross_entropy(logits, part.labels, clip=clip).double()
        penalty = network.penalty()
        n_right = (logits.argmax(1) == part.labels).sum()
        total = loss if penalty is None else loss + penalty
        probabilities = torch.softmax(logits, 1).cpu().numpy() if keep_probabilities else None
        return Outputs(float(total), int(n_right) / len(part), probabilities)


def is_finite(outputs: Outputs) -> bool:
    """Whether the loss is a number and not infinite."""
    return math.isfinite(outputs.loss)
