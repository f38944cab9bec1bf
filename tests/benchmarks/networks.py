"""The six networks of the benchmark: each as a configuration of ours, and as anyone writes it in torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

from mnist_dash.core.config.presets import preset
from mnist_dash.core.config.run_config import RunConfig, TestAsValidation


@dataclass(frozen=True)
class Contest:
    """One network, its usual form, and the speed-ups that are promised for it."""

    name: str
    title: str
    preset: str
    module: Callable[[], nn.Module]
    optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    fraction: float
    """Part of an epoch that is timed; the slow networks' epochs are long."""
    target_best: float
    target_float32: float

    @property
    def config(self) -> RunConfig:
        """The preset on all 60,000 training images, pixels divided by 255, on the CPU."""
        return preset(self.preset).config.model_copy(
            update={
                "split": TestAsValidation(),
                "scaling": "unit",
                "device": "cpu",
                "epochs": 1000,
                "probability_clip": 0.0,
            }
        )


def _mlp(*units: int) -> nn.Module:
    sizes = (784, *units)
    hidden = [
        module
        for inputs, outputs in zip(sizes, units, strict=False)
        for module in (nn.Linear(inputs, outputs), nn.ReLU())
    ]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(sizes[-1], 10))


def _cnn_3x3() -> nn.Module:
    return nn.Sequential(
        *(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
        ),
        *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    )


def _cnn_5x5() -> nn.Module:
    return nn.Sequential(
        *(
            nn.Conv2d(1, 32, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ),
        *(nn.Flatten(), nn.Linear(3136, 10)),
    )


def _cnn_9_9_16() -> nn.Module:
    return nn.Sequential(
        *(
            nn.Conv2d(1, 9, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(9, 9, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ),
        *(
            nn.Conv2d(9, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(144, 300),
            nn.ReLU(),
            nn.Dropout(0.4),
        ),
        *(nn.Linear(300, 30), nn.ReLU(), nn.Dropout(0.4), nn.Linear(30, 10)),
    )


def _linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Linear(10, 10))


def _adam(params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.Adam(params, lr=0.001)


CONTESTS = (
    Contest(
        "mlp_512_256",
        "MLP 512-256, batch 512",
        "mlp_512_256",
        lambda: _mlp(512, 256),
        _adam,
        1.0,
        8.0,
        5.0,
    ),
    Contest(
        "mlp_1500x3",
        "MLP 3x1500, batch 100",
        "mlp_1500x3",
        lambda: _mlp(1500, 1500, 1500),
        _adam,
        0.25,
        2.5,
        2.0,
    ),
    Contest(
        *("cnn_3x3", "CNN 32-64 3x3, batch 256", "cnn_32_64_adadelta", _cnn_3x3),
        *(lambda params: torch.optim.Adadelta(params, lr=1.0, rho=0.95), 0.15, 5.0, 2.0),
    ),
    Contest("cnn_5x5", "CNN 32-64 5x5, batch 100", "cnn_32_64_5x5", _cnn_5x5, _adam, 0.2, 3.5, 1.5),
    Contest("cnn_9_9_16", "CNN 9-9-16, batch 128", "cnn_9_9_16", _cnn_9_9_16, _adam, 0.5, 3.5, 2.5),
    Contest(
        *("linear", "linear 10-10, batch 100", "linear_10_10", _linear),
        *(lambda params: torch.optim.SGD(params, lr=0.5), 1.0, 12.0, 12.0),
    ),
)
