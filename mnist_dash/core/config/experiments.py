"""What is known of a ready configuration: its name, its settings, and the numbers that its report prints."""

from __future__ import annotations

from dataclasses import dataclass

from mnist_dash.core.config.run_config import RunConfig, with_overrides

Curve = tuple[tuple[int, float], ...]
"""A published history: pairs of an epoch, from 1, and a value."""


def as_experiment(config: RunConfig) -> RunConfig:
    """Leave out of a run's configuration what does not make it another experiment: its seed and its device."""
    return config.model_copy(update={"seed": 0, "device": "auto"})


@dataclass(frozen=True)
class Published:
    """The numbers that a report prints; None or empty where it prints none. Accuracies are fractions, losses nats, times seconds."""

    source: str
    """The report's file name."""
    n_parameters: int | None = None
    parameters_by_layer: tuple[int, ...] = ()
    """Of the layers that the report lists, flattening of the input left out."""
    train_loss: Curve = ()
    """Running averages of the epoch, as Keras prints them."""
    train_accuracy: Curve = ()
    val_loss: Curve = ()
    val_accuracy: Curve = ()
    test_loss: float | None = None
    test_accuracy: float | None = None
    seconds_per_epoch: tuple[float, float] | None = None
    """The least and the most, on the report's own machine."""
    confusion: tuple[tuple[int, ...], ...] = ()
    """Test images by true class (rows) and predicted class."""
    mainly_confused: tuple[str, ...] = ()
    """Such as ``9->7``: a nine taken for a seven."""
    stopped_at_epoch: int | None = None


@dataclass(frozen=True)
class Grid:
    """One setting and the values that a sweep gives it, one run each."""

    path: str
    values: tuple[float | int, ...]


@dataclass(frozen=True)
class Preset:
    """A configuration with a name, and what is known of it."""

    name: str
    """How the command line and links name it, such as ``mlp_512_256``."""
    title: str
    """One line a person recognises the experiment by."""
    summary: str
    """What it is good for, in a sentence or two."""
    config: RunConfig
    """Everything that decides the result."""
    published: Published | None = None
    """The report's own numbers; None for a configuration of ours."""
    caveat: str = ""
    """Where the report is inconsistent or silent: what it says, what is sound, and why it matters."""
    unattainable: str = ""
    """Why the description cannot give the published accuracy, where it cannot."""
    grid: Grid | None = None
    """A sweep's values; `config` is then its first point."""

    @property
    def configs(self) -> tuple[RunConfig, ...]:
        """The configurations of all its runs: one, or one a point of the grid."""
        if self.grid is None:
            return (self.config,)
        return tuple(
            with_overrides(self.config, [(self.grid.path, value)]) for value in self.grid.values
        )
