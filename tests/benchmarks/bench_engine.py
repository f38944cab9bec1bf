"""The training engine beside the usual PyTorch loop, on six networks.

    python -m tests.benchmarks.bench_engine [--epochs N] [--networks NAME ...] [--threads N] [--strict] [--json]
    python -m tests.benchmarks.bench_engine --accuracy [--seeds N] [--epochs N] [--networks NAME ...]

The usual loop is what tutorials write: torchvision's data set with `ToTensor`, a shuffling `DataLoader`, modules, `torch.optim`,
`loss.item()` every step. The engine is `mnist_dash.core.training.loop` with nothing left out but the evaluation after an epoch, which the
usual loop does not do either. Each contender is a process of its own with the same number of threads, in which everything was used once
before; the engine's have the environment that trainers get. They take turns within a round, so that a slower minute of
the machine hits all of them, and the ratio is that of the medians over the rounds. Of the slow networks a part of an epoch is timed and
scaled to a whole one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.archives import ensure_mnist
from tests.benchmarks.networks import CONTESTS, Contest

N_IMAGES = 60_000
CONTENDERS = ("usual", "float32", "auto")
Timed = Generator[float, float, None]
"""Takes the fraction of an epoch to train, gives the seconds of a whole one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a table; with ``--strict`` 1 when a promised ratio is missed."""
    options = _options(arguments)
    if options.child:
        _serve(options)
        return 0
    chosen = [
        contest for contest in CONTESTS if not options.networks or contest.name in options.networks
    ]
    with tempfile.TemporaryDirectory() as folder:
        data_dir = options.data_dir or Path(folder)
        ensure_mnist(data_dir)  # its archives come with the package
        if options.accuracy:
            rows = [
                compare_accuracy(
                    contest, data_dir=data_dir, n_epochs=options.epochs, n_seeds=options.seeds
                )
                for contest in chosen
            ]
            sys.stdout.write(json.dumps(rows) + "\n" if options.json else "")
            return 0
        rows = [
            compare(
                contest,
                data_dir=data_dir,
                n_epochs=options.epochs,
                n_threads=options.threads,
                passive=options.passive,
            )
            for contest in chosen
        ]
    if options.json:
        sys.stdout.write(json.dumps(rows) + "\n")
    missed = [
        row["network"]
        for row in rows
        if row["ratio_best"] < row["target_best"] or row["ratio_float32"] < row["target_float32"]
    ]
    sys.stderr.write(f"missed: {', '.join(missed) or 'none'}\n")
    return 1 if missed and options.strict else 0


def compare(
    contest: Contest, *, data_dir: Path, n_epochs: int, n_threads: int, passive: bool
) -> dict[str, Any]:
    """Time the contenders on one network by turns and print the table's row; a row is seconds an epoch, ratios and targets."""
    children = {
        name: _start(contest, name, data_dir, n_threads, passive=passive) for name in CONTENDERS
    }
    seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    try:
        precision = {name: _ask(child, 0.02)["precision"] for name, child in children.items()}[
            "auto"
        ]
        for _ in range(n_epochs):
            for name, child in children.items():
                seconds[name].append(_ask(child, contest.fraction)["seconds"])
    finally:
        for child in children.values():
            child.kill()
            child.wait()
    median = {name: statistics.median(values) for name, values in seconds.items()}
    best = min(median["auto"], median["float32"])
    row = {
        "network": contest.name,
        "title": contest.title,
        "fraction": contest.fraction,
        "epochs": n_epochs,
        "precision": precision,
        **{f"seconds_{name}": value for name, value in median.items()},
        "ratio_float32": median["usual"] / median["float32"],
        "ratio_best": median["usual"] / (best if precision == "float32" else median["auto"]),
        "target_float32": contest.target_float32,
        "target_best": contest.target_best,
    }
    _print_row(row)
    return row


_HEADER_SHOWN: list[bool] = []


def _print_row(row: dict[str, Any]) -> None:
    if not _HEADER_SHOWN:
        _HEADER_SHOWN.append(True)
        sys.stderr.write(
            "| network | usual loop, s | engine float32, s | engine at its best, s | precision "
            "| ratio float32 (target) | ratio best (target) | timed |\n"
            "|---|---|---|---|---|---|---|---|\n"
        )
    sys.stderr.write(
        f"| {row['title']} | {row['seconds_usual']:.2f} | {row['seconds_float32']:.3f} | {row['seconds_auto']:.3f} | {row['precision']} "
        f"| {row['ratio_float32']:.1f} ({row['target_float32']:g}) | {row['ratio_best']:.1f} ({row['target_best']:g}) "
        f"| {row['epochs']} x {row['fraction']:g} epoch |\n"
    )


def _start(
    contest: Contest, contender: str, data_dir: Path, n_threads: int, *, passive: bool
) -> subprocess.Popen[str]:
    from mnist_dash.runs.execution.trainer import ENVIRONMENT

    own = ENVIRONMENT if contender != "usual" else {"OMP_WAIT_POLICY": "PASSIVE"} if passive else {}
    environment = {**own, **os.environ}
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.bench_engine",
        "--child",
        contender,
        "--networks",
        contest.name,
    ]
    command += ["--data-dir", str(data_dir), "--threads", str(n_threads)]
    return subprocess.Popen(
        command,
        env={**environment, "OMP_NUM_THREADS": str(n_threads)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _ask(child: subprocess.Popen[str], fraction: float) -> dict[str, Any]:
    """Let a contender train a part of an epoch; its answer says how long a whole epoch takes."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(f"{fraction}\n")
    child.stdin.flush()
    answer: dict[str, Any] = json.loads(child.stdout.readline())
    return answer


def _serve(options: argparse.Namespace) -> None:
    """Be a contender: a fraction of an epoch a line of input."""
    import torch

    torch.set_num_threads(options.threads)
    contest = next(contest for contest in CONTESTS if contest.name in options.networks)
    if options.child == "usual":
        precision, epochs = "float32", _usual(contest, options.data_dir)
    else:
        precision, epochs = _engine(contest, options.child, options.data_dir)
    next(epochs)
    for line in sys.stdin:
        seconds = epochs.send(float(line))
        sys.stdout.write(json.dumps({"seconds": seconds, "precision": precision}) + "\n")
        sys.stdout.flush()


def _usual(contest: Contest, data_dir: Path) -> Timed:
    """Train as tutorials do; takes fractions, gives seconds an epoch."""
    import torch
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    torch.manual_seed(0)
    data = datasets.MNIST(data_dir, train=True, download=True, transform=transforms.ToTensor())
    loader = DataLoader(data, batch_size=contest.config.batch_size, shuffle=True)
    model = contest.module()
    optimizer = contest.optimizer(model.parameters())
    criterion = torch.nn.CrossEntropyLoss()
    fraction = yield 0.0
    while True:
        n_steps = max(1, round(len(loader) * fraction))
        total, start = 0.0, time.perf_counter()
        for step, (images, labels) in enumerate(loader, 1):
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
            if step == n_steps:
                break
        fraction = yield (time.perf_counter() - start) * len(loader) / n_steps


def _engine(contest: Contest, precision: str, data_dir: Path) -> tuple[str, Timed]:
    """Train with the engine; takes fractions, gives seconds an epoch."""
    from mnist_dash.core.hardware.threads import threads_for
    from mnist_dash.core.training.inference import Interrupted
    from mnist_dash.core.training.loop import _Run

    config = contest.config.model_copy(update={"precision": precision})
    threads_for(config).__enter__()
    n_left = [0]

    def should_stop() -> bool:
        n_left[0] -= 1
        return n_left[0] < 0

    run = _Run(config, data_dir, None, lambda _: None, should_stop)

    def epochs() -> Timed:
        fraction = yield 0.0
        for epoch in range(1, 1000):
            n_steps = n_left[0] = max(1, round(config.steps_per_epoch * fraction))
            run.meter.begin_epoch(epoch)
            start = time.perf_counter()
            with contextlib.suppress(Interrupted):
                run._train_steps(epoch, start)
            run.meter.averages()
            fraction = yield (time.perf_counter() - start) * config.steps_per_epoch / n_steps

    return run.counters.precision, epochs()


def compare_accuracy(
    contest: Contest, *, data_dir: Path, n_epochs: int, n_seeds: int
) -> dict[str, Any]:
    """Train to the end with several seeds, by the usual loop and by the engine, from the same initial weights; test accuracies."""
    from mnist_dash.core.training.loop import train

    accuracies: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for seed in range(n_seeds):
        config = contest.config.model_copy(update={"seed": seed, "epochs": n_epochs})
        accuracies["usual"].append(_usual_accuracy(contest, config, data_dir))
        for name in CONTENDERS[1:]:
            result = train(
                config.model_copy(update={"precision": name}),
                data_dir=data_dir,
                on_step=lambda _: None,
                on_epoch=lambda _: None,
                on_checkpoint=lambda _: None,
                should_stop=lambda: False,
            )
            accuracies[name].append(result.test_accuracy or 0.0)
    texts = [
        f"{name} {statistics.mean(values):.4f} ± {statistics.pstdev(values):.4f}"
        for name, values in accuracies.items()
    ]
    sys.stderr.write(f"{contest.title}, {n_epochs} epochs, {n_seeds} seeds: {', '.join(texts)}\n")
    return {"network": contest.name, "epochs": n_epochs, **accuracies}


def _usual_accuracy(contest: Contest, config: RunConfig, data_dir: Path) -> float:
    import torch
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    from mnist_dash.core.network.torch_network import build_sequential

    torch.manual_seed(config.seed)
    parts = [
        datasets.MNIST(data_dir, train=train, download=True, transform=transforms.ToTensor())
        for train in (True, False)
    ]
    model = build_sequential(config)
    optimizer, criterion = contest.optimizer(model.parameters()), torch.nn.CrossEntropyLoss()
    for _ in range(config.epochs):
        for images, labels in DataLoader(parts[0], batch_size=config.batch_size, shuffle=True):
            optimizer.zero_grad()
            criterion(model(images), labels).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        n_right = sum(
            int((model(images).argmax(1) == labels).sum())
            for images, labels in DataLoader(parts[1], batch_size=1000)
        )
    return n_right / len(parts[1])


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.bench_engine",
        description=__doc__.splitlines()[0] if __doc__ else "",
    )
    parser.add_argument(
        "--epochs",
        type=int,
        default=5,
        help="rounds, each one epoch (or the stated part of one) a contender",
    )
    parser.add_argument(
        "--networks", nargs="+", choices=[contest.name for contest in CONTESTS], help="only these"
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of every contender")
    parser.add_argument(
        "--passive",
        action="store_true",
        help="the usual loop's idle threads sleep instead of spinning, as the engine's do: for a busy machine",
    )
    parser.add_argument(
        "--data-dir", type=Path, help="folder of data sets; a temporary one by default"
    )
    parser.add_argument(
        "--accuracy",
        action="store_true",
        help="compare test accuracies over seeds after --epochs instead of times",
    )
    parser.add_argument("--seeds", type=int, default=3, help="seeds of --accuracy")
    parser.add_argument(
        "--strict", action="store_true", help="end with 1 when a promised ratio is missed"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the rows as one JSON array on standard output"
    )
    parser.add_argument("--child", choices=CONTENDERS, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
