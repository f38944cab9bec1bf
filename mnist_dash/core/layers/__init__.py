"""Layers: a module each with all that the product knows of a kind, and the registry in which it is found."""

from __future__ import annotations

from typing import Annotated

from mnist_dash.core.kinds.problems import MAX_LAYERS
from mnist_dash.core.kinds.registry import OneOf, Registry
from mnist_dash.core.layers.activation import ActivationLayer
from mnist_dash.core.layers.activations import Activation
from mnist_dash.core.layers.base import LayerKind, Shape, format_shape
from mnist_dash.core.layers.batch_norm import BatchNorm
from mnist_dash.core.layers.conv import Conv, Padding
from mnist_dash.core.layers.dense import Dense
from mnist_dash.core.layers.dropout import Dropout
from mnist_dash.core.layers.flatten import Flatten
from mnist_dash.core.layers.initialisers import (
    INITIALIZERS,
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Initializer,
    Normal,
    TruncatedNormal,
    Zeros,
)
from mnist_dash.core.layers.planning import (
    MAX_PARAMETERS,
    ImpossibleLayer,
    LayerPlan,
    module_numbers,
    plan,
)
from mnist_dash.core.layers.pooling import AvgPool, MaxPool

LAYERS: Registry[LayerKind] = Registry(
    (Conv, MaxPool, AvgPool, Dropout, BatchNorm, ActivationLayer, Flatten, Dense)
)
Layer = Annotated[LayerKind, OneOf(LAYERS)]

__all__ = [
    "INITIALIZERS",
    "LAYERS",
    "MAX_LAYERS",
    "MAX_PARAMETERS",
    "Activation",
    "ActivationLayer",
    "AvgPool",
    "BatchNorm",
    "Constant",
    "Conv",
    "Dense",
    "Dropout",
    "Flatten",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "ImpossibleLayer",
    "Initializer",
    "Layer",
    "LayerKind",
    "LayerPlan",
    "MaxPool",
    "Normal",
    "Padding",
    "Shape",
    "TruncatedNormal",
    "Zeros",
    "format_shape",
    "module_numbers",
    "plan",
]
