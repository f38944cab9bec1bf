"""MNIST Dash: train, watch and understand networks on MNIST, with runs that survive whatever happens to the browser or the server.

    import mnist_dash as md

    run = md.train("mlp_512_256", epochs=3)
    run.plot()

docs/python.md has the rest. Each name is imported when it is first used, so that importing the package costs nothing.
"""

import importlib
from typing import Any

__version__ = "0.1.0"
_FUNCTIONS = ("train", "run", "study", "studies", "compare", "load_data")
_HOMES = dict.fromkeys(_FUNCTIONS, "mnist_dash.api.functions") | {
    "open_store": "mnist_dash.api.store",
    "MnistDashError": "mnist_dash.errors",
    "RunConfig": "mnist_dash.core.config.run_config",
}
__all__ = [
    "MnistDashError",
    "RunConfig",
    "compare",
    "load_data",
    "open_store",
    "run",
    "runs",
    "studies",
    "study",
    "train",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - several
    """Import what is asked for the first time."""
    if name == "runs":
        return importlib.import_module("mnist_dash.runs")  # which is a function as well
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Name what there is, for whoever completes names."""
    return sorted({*globals(), *__all__})
