"""The life of a run across processes: store, queue, workers, trainers, artifacts, and what a person may do.

Called, the package lists runs: ``mnist_dash.runs("...")`` is `mnist_dash.api.functions.runs`.
"""

import importlib
import sys
from types import ModuleType
from typing import Any


class _Runs(ModuleType):
    """A package is an attribute of the one that it lies in, so that this one has to be the function of its name as well."""

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401 - those of the function
        return importlib.import_module("mnist_dash.api.functions").runs(*arguments, **keywords)


sys.modules[__name__].__class__ = _Runs
