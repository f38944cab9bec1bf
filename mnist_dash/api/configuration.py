"""What to train, as a notebook says it -> a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnist_dash.core.config.presets import DEFAULT_PRESET, name_of, preset
from mnist_dash.core.config.run_config import RunConfig, parse_config, with_overrides
from mnist_dash.core.kinds.problems import shown
from mnist_dash.errors import InvalidInput

Base = str | RunConfig | Mapping[str, Any] | None
"""A preset by its name, a configuration or its tree; None for the first preset."""


def configuration(base: Base, settings: Mapping[str, Any]) -> tuple[RunConfig, str | None]:
    """Build a configuration and name the preset that it is.

    Args:
        base: what to begin with.
        settings: by their paths, as `--set` takes them; two underscores stand for a dot: ``optimizer__learning_rate``.

    Raises:
        UnknownPreset: no preset has this name.
        InvalidConfig: a path names nothing, or a value breaks a rule.
        InvalidInput: the base is something else.
    """
    name = base if isinstance(base, str) else None
    config = with_overrides(
        _base(base), [(path.replace("__", "."), value) for path, value in settings.items()]
    )
    return config, name_of(config, first=name)


def _base(base: Base) -> RunConfig:
    if base is None:
        return DEFAULT_PRESET.config
    if isinstance(base, RunConfig):
        return base
    if isinstance(base, str):
        return preset(base).config
    if isinstance(base, Mapping):
        return parse_config(dict(base))
    raise InvalidInput(
        f"{shown(base)} is no configuration (the name of a preset, a RunConfig, or a dict of its fields). Pass 'mlp_quick', say."
    )
