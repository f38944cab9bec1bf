"""Ready configurations by name: a quick one to begin with, and the published experiments of `mnist_dash.core.config.published`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mnist_dash.core.config.experiments import Preset, as_experiment
from mnist_dash.core.config.published import EXPERIMENTS
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import UnknownPreset
from mnist_dash.text import did_you_mean, listed, nearest

_FIRST = Preset(
    name="mlp_quick",
    title="Two dense layers, 512-256 ReLU, Adam",
    summary="Trains in seconds on any computer and reaches about 98 %.",
    config=RunConfig(),
)
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {ready.name: ready for ready in (_FIRST, *EXPERIMENTS)}
)
"""All ready configurations by name, the one to begin with first."""

DEFAULT_PRESET = next(iter(PRESETS.values()))
"""What Train starts with when nothing was chosen."""


def preset(name: str) -> Preset:
    """Find a preset by its name.

    Raises:
        UnknownPreset: no preset has this name; the message offers the nearest ones.
    """
    if name in PRESETS:
        return PRESETS[name]
    known = "" if nearest(name, PRESETS) else f" Choose one of {listed(PRESETS)}."
    raise UnknownPreset(
        f"No preset {name!r}. {did_you_mean(name, PRESETS)}{known}".replace(".  ", ". ").strip()
    )


def name_of(config: RunConfig, *, first: str | None = None) -> str | None:
    """Name the preset that a configuration is, whatever its seed and device; None where it is none.

    Args:
        config: of a run.
        first: the preset that is looked at first; some differ in nothing but what is made of their run.
    """
    wanted = as_experiment(config)
    candidates = PRESETS if first is None else (first, *PRESETS)
    return next((name for name in candidates if wanted in PRESETS[name].configs), None)
