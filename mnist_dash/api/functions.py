"""The functions of ``import mnist_dash as md``: those of `OpenStore`, on the store of this environment."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from mnist_dash.api.store import OpenStore, default_store

P = ParamSpec("P")
R = TypeVar("R")


def _on_default_store(method: Callable[Concatenate[OpenStore, P], R]) -> Callable[P, R]:
    @wraps(method)
    def call(*arguments: P.args, **keywords: P.kwargs) -> R:
        return method(default_store(), *arguments, **keywords)

    signature = inspect.signature(method)
    call.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
    return call


train = _on_default_store(OpenStore.train)
run = _on_default_store(OpenStore.run)
runs = _on_default_store(OpenStore.runs)
study = _on_default_store(OpenStore.study)
studies = _on_default_store(OpenStore.studies)
load_data = _on_default_store(OpenStore.load_data)
compare = _on_default_store(OpenStore.compare)
