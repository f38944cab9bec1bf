"""A run's network for other programs: as an ONNX model, and as safetensors with its configuration and a model card."""

from __future__ import annotations

import importlib.metadata
import io
import json
import platform
import zipfile
from collections.abc import Iterator

import safetensors.numpy

from mnist_dash import __version__
from mnist_dash.core.data.idx import CLASS_NAMES
from mnist_dash.core.data.scaling import scaling_values
from mnist_dash.core.export.markup import escaped_markdown
from mnist_dash.core.export.onnx_model import INPUT, OUTPUT, onnx_model
from mnist_dash.core.export.script import network_code
from mnist_dash.core.layers import format_shape
from mnist_dash.formatting import exact, percent
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.text import plural

ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a zip, so that the same content gives the same bytes."""
_LEAK = (
    "**Leak: this run validated on the test set.** Whatever was chosen by "
    "validation metrics was chosen by the test set, so its accuracy is "
    "not an estimate for new images."
)


def run_onnx(store: Store, run_id: str) -> bytes:
    """Write a run's network as the content of an ``.onnx`` file; see `mnist_dash.core.export.onnx_model.onnx_model`.

    Raises:
        UnknownRun: no run has this id.
        ArtifactError: the run has left no weights, or they are damaged.
        DataError: the data that the scaling was fitted to is not there.
    """
    run = store.run(run_id)
    weights = safetensors.numpy.load(artifacts.read(store, run_id, ArtifactKind.WEIGHTS))
    about = {
        "run": run.id,
        "configuration": run.config.model_dump_json(),
        "written_by": f"MNIST Dash {__version__}",
    }
    about["classes"] = json.dumps(CLASS_NAMES[run.config.dataset], ensure_ascii=False)
    if run.test_accuracy is not None:
        about["test_accuracy"] = repr(run.test_accuracy)
    return onnx_model(
        run.config,
        weights,
        scaling=scaling_values(run.config, store.settings.data_dir),
        about=about,
    )


def model_bundle(store: Store, run_id: str) -> bytes:
    """Write a run's weights, configuration and model card as the content of a zip file.

    ``model.safetensors`` are the stored weights, byte for byte; ``config.json`` has the configuration and the fitted scaling;
    ``README.md`` is the card.

    Raises:
        UnknownRun: no run has this id.
        ArtifactError: the run has left no weights, or they are damaged.
        DataError: the data that the scaling was fitted to is not there.
    """
    run = store.run(run_id)
    weights = artifacts.read(store, run_id, ArtifactKind.WEIGHTS)
    subtracted, factor = scaling_values(run.config, store.settings.data_dir)
    described = {
        "run": run.id,
        "config_hash": run.config_hash,
        "config": run.config.model_dump(mode="json"),
        "scaling": {"subtracted": subtracted.tolist(), "factor": factor.tolist()},
        "classes": CLASS_NAMES[run.config.dataset],
    }
    files = {
        "README.md": model_card(run).encode(),
        "config.json": (json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode(),
        "model.safetensors": weights,
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(
                zipfile.ZipInfo(f"mnist-dash-{run.id}/{name}", ZIP_TIME),
                content,
                zipfile.ZIP_DEFLATED,
            )
    return target.getvalue()


def model_card(run: Run) -> str:
    """Describe a run's network in Markdown: what it is, what it was trained on, how good it is and how it is loaded.

    The sections are those of Mitchell et al. (2019), as far as a run knows them. What people typed is shown and never interpreted.
    """
    return (
        "\n".join(
            [
                *_head(run),
                *_figures(run),
                *_training(run),
                *_architecture(run),
                *_loading(run),
                *_versions(run),
            ]
        )
        + "\n"
    )


def _head(run: Run) -> Iterator[str]:
    config = run.config
    yield f"# {escaped_markdown(run.title)}"
    yield f"\nA classifier of {_dataset(run)}: {config.n_parameters:,} parameters, {plural(len(config.layers), 'layer')}. Run `{run.id}` of"
    yield f"MNIST Dash, configuration `{run.config_hash}`, state {run.state}."
    if config.leaks_test_set:
        yield f"\n> {_LEAK}"
    if run.notes:
        yield "\n## Notes\n"
        yield from (f"> {escaped_markdown(line)}  " for line in run.notes.splitlines())
    yield "\n## Intended use\n"
    yield f"Learning and experiments with small networks, on images like those of {_dataset(run)}: 28 x 28 pixels, one centred"
    yield "object, light on dark. It always predicts one of ten classes, whatever the image shows. Its probabilities mean little on"
    yield "other data."
    yield "Not meant for decisions about people, documents or money."


def _figures(run: Run) -> Iterator[str]:
    yield "\n## Metrics\n"
    yield "| metric | value | on |"
    yield "|---|---|---|"
    held = (
        "the test set (leak)"
        if run.config.leaks_test_set
        else f"{run.config.n_validation:,} validation images"
    )
    if run.test_accuracy is not None:
        yield f"| test accuracy | {percent(run.test_accuracy)} | {run.n_test or 0:,} test images |"
    if run.test_loss is not None:
        yield f"| test loss (cross-entropy, nats) | {exact(run.test_loss)} | the same images |"
    if run.best_val_accuracy is not None:
        yield f"| best validation accuracy | {percent(run.best_val_accuracy)} | {held}, after epoch {run.best_epoch} |"
    if run.last_val_accuracy is not None:
        yield f"| last validation accuracy | {percent(run.last_val_accuracy)} | {held}, after epoch {run.epoch} |"


def _training(run: Run) -> Iterator[str]:
    config = run.config
    split = {
        "tail": "the last images of the archive",
        "random": "images drawn at random",
        "stratified": "images drawn at random, the same fraction of every class",
        "test_as_validation": "the test set (leak)",
    }[config.split.kind]
    rows = {
        "training data": f"{config.n_training:,} images of {_dataset(run)}'s training archive",
        "validated on": f"{config.n_validation:,} images: {split}",
        "input": f"{config.features}, scaling {config.scaling}"
        if config.features == "pixels"
        else "histograms of oriented gradients",
        "epochs": f"{run.epoch} of {config.epochs}, batches of {config.batch_size}",
        "optimizer": _described(config.optimizer.model_dump()),
        "schedule": _described(config.schedule.model_dump()),
        "augmentation": _described(config.augmentation.model_dump())
        if config.augmentation
        else "none",
        "early stopping": _described(config.early_stopping.model_dump())
        if config.early_stopping
        else "none",
        "seed": str(config.seed),
        "device": f"{run.device or 'unknown'}, {run.precision or config.precision}",
        "time": f"{run.seconds_training:.1f} s of training",
    }
    yield "\n## Training\n"
    yield "| setting | value |"
    yield "|---|---|"
    yield from (f"| {name} | {value} |" for name, value in rows.items())


def _architecture(run: Run) -> Iterator[str]:
    yield "\n## Architecture\n"
    yield "| layer | what | output shape | parameters |"
    yield "|---|---|---|---|"
    for planned in run.config.plan:
        yield f"| {planned.name} | {planned.summary} | {format_shape(planned.output_shape)} | {planned.n_parameters:,} |"
    yield f"| | | | {run.config.n_parameters:,} |"


def _loading(run: Run) -> Iterator[str]:
    pixels = run.config.features == "pixels"
    yield "\n## How to load it\n"
    yield "The weights are named and laid out as those of this plain torch network, whose last layer gives logits:\n"
    yield "```python\nimport json\n\nimport torch\nfrom safetensors.torch import load_file\nfrom torch import nn\n"
    yield network_code(run.config)
    yield '\nnetwork = build()\nnetwork.load_state_dict(load_file("model.safetensors"))\nnetwork.eval()'
    if pixels:
        yield 'scaling = {name: torch.tensor(value) for name, value in json.load(open("config.json"))["scaling"].items()}\n'
        yield "images = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)  # grey values, 0 is background"
        yield 'inputs = (images.float() - scaling["subtracted"]) * scaling["factor"]'
    else:
        yield "inputs = torch.zeros(1, 392)  # histograms of oriented gradients, as the run's training script computes them"
    yield "probabilities = network(inputs).softmax(1)\n```"
    yield f"\nThe same run's ONNX model takes grey values as `{INPUT}` and gives `{OUTPUT}`: scaling, features and softmax are inside."


def _versions(run: Run) -> Iterator[str]:
    packages = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("torch", "numpy", "safetensors")
    )
    yield f"\nSubmitted {run.created_at:%Y-%m-%d %H:%M} UTC. Exported by MNIST Dash {__version__} with Python"
    yield f"{platform.python_version()}, {packages}."


def _dataset(run: Run) -> str:
    names = {
        "mnist": "MNIST",
        "fashion_mnist": "Fashion-MNIST",
        "kmnist": "KMNIST",
        "qmnist": "QMNIST",
        "emnist_digits": "EMNIST Digits",
    }
    return names[run.config.dataset]


def _described(values: dict[str, object]) -> str:
    kind = values.pop("kind", None)
    settings = ", ".join(
        f"{name} {value}" for name, value in values.items() if value not in (None, False)
    ).replace("_", " ")
    return f"{kind}: {settings}" if kind and settings else str(kind or settings)
