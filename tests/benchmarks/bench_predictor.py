"""Trained networks as pages ask them, beside another version of the project.

    python -m tests.benchmarks.bench_predictor [--other FOLDER] [--rounds N] [--presets NAME ...] [--json]

Figures of a preset: milliseconds until a page that opens a run has the first image's probabilities, its session included, in a process
in which no network was asked before and in one in which another was; seconds for the 10,000 test images. Each by the clock and by the
processor time of all threads, which is what trainings lose. `--other` is a checkout of a version in which numpy computed
networks (``core/analysis/forward.py``); the two take turns, each in a process of its own. Weights are those of a fresh network.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.numpy

ROOT = Path(__file__).parents[2]
PRESETS = ("mlp_quick", "mlp_1500x3", "cnn_9_9_16", "cnn_32_64_adadelta")
FIGURES = (
    *(
        "first in the process, ms",
        "the same, processor ms",
        "first of a network, ms",
        "the same, processor ms",
    ),
    *("10,000 images, s", "the same, processor s"),
)
Ask = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a table."""
    options = _options(arguments)
    if options.child:
        sys.path.insert(0, str(options.child))
        sys.stdout.write(json.dumps(_measure(options.presets[0], options.weights)))
        return 0
    versions = {"this": ROOT, **({"other": options.other} if options.other else {})}
    rows: list[dict[str, object]] = []
    for preset in options.presets:
        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder) / "weights.safetensors"
            _write_weights(preset, weights)
            measured: dict[str, list[list[float]]] = {name: [] for name in versions}
            for _ in range(options.rounds):
                for name, root in versions.items():
                    measured[name].append(_in_process(root, preset, weights))
        medians = {
            name: [statistics.median(column) for column in zip(*runs, strict=True)]
            for name, runs in measured.items()
        }
        rows.append({"preset": preset, **medians})
        _print_row(preset, medians, is_first=len(rows) == 1)
    sys.stdout.write(json.dumps(rows) + "\n" if options.json else "")
    return 0


def _write_weights(preset: str, path: Path) -> None:
    from mnist_dash.core.config.presets import PRESETS as KNOWN
    from mnist_dash.core.network.torch_network import build_sequential

    network = build_sequential(KNOWN[preset].config)
    safetensors.numpy.save_file(
        {name: tensor.numpy() for name, tensor in network.state_dict().items()}, path
    )


def _in_process(root: Path, preset: str, weights: Path) -> list[float]:
    command = [
        sys.executable,
        __file__,
        "--child",
        str(root),
        "--presets",
        preset,
        "--weights",
        str(weights),
    ]
    figures: list[float] = json.loads(
        subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE).stdout
    )
    return figures


def _measure(preset: str, path: Path) -> list[float]:
    """Take the figures of a preset in a process in which no network was asked before."""
    from mnist_dash.core.config.presets import PRESETS as KNOWN
    from mnist_dash.core.config.run_config import RunConfig
    from mnist_dash.core.data.idx import read_images

    config = KNOWN[preset].config
    images = read_images("mnist", "test", Path())
    asking = (
        _predictor if importlib.util.find_spec("mnist_dash.core.analysis.predictor") else _numpy
    )
    first = _timed(lambda: asking(config, safetensors.numpy.load_file(path))(images[:1]))
    other = {"1.weight": np.zeros((10, 784), np.float32), "1.bias": np.zeros(10, np.float32)}
    layers = [{"kind": "flatten"}, {"kind": "dense", "units": 10, "activation": "softmax"}]
    asking(RunConfig.model_validate({"layers": layers}), other)(images[:1])
    # Not asked yet.
    weights = {
        name: values + np.float32(0.001)
        for name, values in safetensors.numpy.load_file(path).items()
    }
    again = _timed(lambda: asking(config, weights)(images[:1]))
    ask = asking(config, weights)
    many = _timed(lambda: ask(images))
    return [1000 * first[0], 1000 * first[1], 1000 * again[0], 1000 * again[1], *many]


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Give seconds by the clock and of all threads of the processor."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - cpu


def _predictor(config: object, weights: dict[str, npt.NDArray[np.float32]]) -> Ask:
    from mnist_dash.core.analysis.predictor import Predictor
    from mnist_dash.core.config.run_config import RunConfig
    from mnist_dash.core.data.scaling import scaling_values

    assert isinstance(config, RunConfig)
    return Predictor(config, weights, scaling_values(config, Path())).probabilities


def _numpy(config: object, weights: dict[str, npt.NDArray[np.float32]]) -> Ask:
    forward = importlib.import_module("mnist_dash.core.analysis.forward")
    scale = forward.fitted_scaling(config, Path())
    return lambda images: forward.probabilities(config, weights, images, scale)


def _print_row(preset: str, medians: dict[str, list[float]], *, is_first: bool) -> None:
    if is_first:
        sys.stderr.write(
            f"| preset | {' | '.join(f'{figure}: {name}' for figure in FIGURES for name in medians)} |\n"
        )
        sys.stderr.write(f"|{'---|' * (1 + len(FIGURES) * len(medians))}\n")
    cells = [f"{medians[name][place]:.3g}" for place in range(len(FIGURES)) for name in medians]
    sys.stderr.write(f"| {preset} | {' | '.join(cells)} |\n")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--other", type=Path, help="a checkout of another version")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--presets", nargs="+", default=PRESETS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
