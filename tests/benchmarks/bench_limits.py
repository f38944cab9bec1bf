"""The least that an epoch can take on this processor: its convolutions and matrix products at their exact shapes, and nothing else.

    python -m tests.benchmarks.bench_limits [--networks NAME ...] [--repeats N]

Each kernel is timed alone, forward and backward, on the inputs that it has in the network; what lies between (activations, pooling,
dropout, the loss, the optimizer, gathering batches) costs nothing here. No loop around these kernels can be faster.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mnist_dash.core.data.archives import ensure_mnist
from mnist_dash.runs.execution.trainer import ENVIRONMENT
from tests.benchmarks.networks import CONTESTS, Contest


def seconds_per_epoch(contest: Contest, precision: str, *, data_dir: Path, n_repeats: int) -> float:
    """Add up the best times of all kernels of a step, times the steps of an epoch."""
    import torch

    from mnist_dash.core.hardware.threads import threads_for
    from mnist_dash.core.training.backprop import HandwrittenUpdate
    from mnist_dash.core.training.loop import _Run
    from mnist_dash.core.training.steps import EagerSteps

    config = contest.config.model_copy(update={"precision": precision})
    with threads_for(config), torch.no_grad():
        run = _Run(config, data_dir, None, lambda _: None, lambda: False)
        assert isinstance(run.steps, EagerSteps)
        update = run.steps._update
        assert isinstance(update, HandwrittenUpdate)
        x = (
            run._gather(torch.arange(config.batch_size))[0]
            .to(update._dtype)
            .view(-1, 28, 28, 1)
            .permute(0, 3, 1, 2)
        )
        total = 0.0
        for operation, _, is_trained in update._pieces:
            y = operation.forward(x)
            if is_trained:
                grad = torch.randn_like(y)
                total += _best(lambda: operation.forward(x), n_repeats) + _best(  # noqa: B023
                    lambda: operation.backward(grad),  # noqa: B023
                    n_repeats,
                )
            x = y
    return total * config.steps_per_epoch


def _best(call: Callable[[], object], n_repeats: int) -> float:
    """Time calls one by one and return the seconds of the fastest."""
    best = float("inf")
    for _ in range(n_repeats):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    """Print a table of seconds an epoch."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.bench_limits", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "--networks",
        nargs="+",
        choices=[contest.name for contest in CONTESTS],
        default=[c.name for c in CONTESTS],
    )
    parser.add_argument("--repeats", type=int, default=30)
    arguments = parser.parse_args()
    if any(name not in os.environ for name in ENVIRONMENT):
        os.execve(sys.executable, sys.orig_argv, ENVIRONMENT | os.environ)  # noqa: S606 - torch must find it when it is loaded
    print("| network | float32, s | bfloat16, s |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        ensure_mnist(Path(folder))
        for contest in CONTESTS:
            if contest.name in arguments.networks:
                limits = [
                    seconds_per_epoch(
                        contest, precision, data_dir=Path(folder), n_repeats=arguments.repeats
                    )
                    for precision in ("float32", "bfloat16")
                ]
                print(f"| {contest.title} | {limits[0]:.3f} | {limits[1]:.3f} |", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()
