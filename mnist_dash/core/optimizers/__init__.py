"""Optimizers: a module each with all that the product knows of a kind, and the registry in which it is found."""

from __future__ import annotations

from typing import Annotated

from mnist_dash.core.kinds.registry import OneOf, Registry
from mnist_dash.core.optimizers.adadelta import Adadelta
from mnist_dash.core.optimizers.adagrad import Adagrad
from mnist_dash.core.optimizers.adam import Adam, AdamW
from mnist_dash.core.optimizers.base import LearningRate, OptimizerKind
from mnist_dash.core.optimizers.lion import Lion
from mnist_dash.core.optimizers.nadam import NAdam
from mnist_dash.core.optimizers.rmsprop import RMSprop
from mnist_dash.core.optimizers.sgd import SGD

OPTIMIZERS: Registry[OptimizerKind] = Registry(
    (SGD, Adam, AdamW, NAdam, RMSprop, Adadelta, Adagrad, Lion)
)
Optimizer = Annotated[OptimizerKind, OneOf(OPTIMIZERS)]

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "LearningRate",
    "Lion",
    "NAdam",
    "Optimizer",
    "OptimizerKind",
    "RMSprop",
]
