"""Scalings of pixels: a module each with all that the product knows of a kind, and the registry in which it is found."""

from __future__ import annotations

from typing import Annotated

from mnist_dash.core.kinds.registry import NameOf, Registry
from mnist_dash.core.scalings.base import ScalingKind
from mnist_dash.core.scalings.minmax import MinMaxScaling
from mnist_dash.core.scalings.standard import StandardScaling
from mnist_dash.core.scalings.unit import UnitScaling

SCALINGS: Registry[ScalingKind] = Registry((UnitScaling, MinMaxScaling, StandardScaling))
Scaling = Annotated[str, NameOf(SCALINGS)]

__all__ = ["SCALINGS", "MinMaxScaling", "Scaling", "ScalingKind", "StandardScaling", "UnitScaling"]
