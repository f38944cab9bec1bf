"""What a configuration is called: its network, its optimizer, and the name that a run is born with."""

from __future__ import annotations

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Conv, Dense
from mnist_dash.formatting import number

MOST_LAYERS = 5


def network_name(config: RunConfig) -> str:
    """Name a network by its hidden convolution and dense layers: ``conv 32 – conv 64 – dense 128``."""
    return (
        " – ".join(
            _shortened(
                [
                    f"conv {width}" if is_conv else f"dense {width}"
                    for is_conv, width in _hidden(config)
                ]
            )
        )
        or "linear"
    )


def optimizer_name(config: RunConfig) -> str:
    """Name the optimizer and its learning rate: ``Adam 0.001``."""
    return f"{config.optimizer.label} {number(config.optimizer.learning_rate)}"


def run_name(config: RunConfig, number: int | str) -> str:
    """Name a run: ``512-256 Adam 0.001 #14``.

    Args:
        config: of the run; the widths of the hidden layers are named, those of convolutions with a ``c``.
        number: which run of the store it is; of a run that has no name its id, of which the first four characters are taken.
    """
    widths = (
        "-".join(
            _shortened(
                [f"c{width}" if is_conv else str(width) for is_conv, width in _hidden(config)]
            )
        )
        or "linear"
    )
    return f"{widths} {optimizer_name(config)} #{number if isinstance(number, int) else number[:4]}"


def _hidden(config: RunConfig) -> list[tuple[bool, int]]:
    """List the hidden layers that have weights: whether it is a convolution, and its width."""
    layers = [layer for layer in config.layers[:-1] if isinstance(layer, Conv | Dense)]
    return [
        (True, layer.filters) if isinstance(layer, Conv) else (False, layer.units)
        for layer in layers
    ]


def _shortened(words: list[str]) -> list[str]:
    return [*words[: MOST_LAYERS - 2], "…", words[-1]] if len(words) > MOST_LAYERS else words
