"""A configuration as a Jupyter notebook (nbformat 4.5): the training script in cells, with words between them. Pure text."""

from __future__ import annotations

import hashlib
import json

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.export.markup import escaped_markdown
from mnist_dash.core.export.script import script_sections
from mnist_dash.text import plural

_INTRODUCTION = """\
# {title}

A network for {dataset} of {n_parameters} parameters, trained for {epochs} at most. Written by MNIST Dash for configuration `{hash}`; it
needs torch, torchvision and numpy (`pip install torch torchvision numpy`), and not MNIST Dash.

Random numbers are drawn as the dashboard draws them, so that a training follows the run's as far as rounding lets it."""

_TRAIN_IT = """\
## Train

`DATA` is the folder of the data set, downloaded when missing. With the name of a file of a run's weights (safetensors) in `WEIGHTS`,
nothing is trained and the run's own network is evaluated."""

_TRAIN_CODE = """\
DATA = "data"
WEIGHTS = None

parts = prepare(DATA)
network = train(parts) if WEIGHTS is None else evaluated(WEIGHTS)"""

_EVALUATE_IT = "## Evaluate\n\nOn the test set, which no training image is in."
_EVALUATE_CODE = """\
test_loss, test_accuracy = evaluate(network, *parts[2], parts[3])
print(f"test loss {test_loss:.4f} accuracy {test_accuracy:.4f}")"""


def notebook(config: RunConfig, *, title: str, precision: str | None = None) -> str:
    """Write a notebook that trains a configuration and evaluates it, as the content of an ``.ipynb`` file.

    Args:
        config: what to train; everything in it is written out.
        title: its heading, shown as it is.
        precision: what a run of it was computed in, where the configuration leaves that to the machine.
    """
    epochs = plural(config.epochs, "epoch")
    values = {
        "dataset": config.dataset,
        "n_parameters": f"{config.n_parameters:,}",
        "epochs": epochs,
        "hash": config.hash,
    }
    texts = [("markdown", _INTRODUCTION.format(title=escaped_markdown(title), **values))]
    for section in script_sections(config, precision=precision):
        texts += [("markdown", f"## {section.title}\n\n{section.text}"), ("code", section.code)]
    texts += [
        ("markdown", _TRAIN_IT),
        ("code", _TRAIN_CODE),
        ("markdown", _EVALUATE_IT),
        ("code", _EVALUATE_CODE),
    ]
    content = {
        "cells": [_cell(kind, text, place) for place, (kind, text) in enumerate(texts)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _cell(kind: str, text: str, place: int) -> dict[str, object]:
    cell: dict[str, object] = {
        "cell_type": kind,
        "id": hashlib.sha256(f"{place}/{text}".encode()).hexdigest()[:12],
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
