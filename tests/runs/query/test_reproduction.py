"""What a comparison with a published number says."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import pytest

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.query.reproduction import Comparison, Point, compare, points
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store, transition
from mnist_dash.runs.store.states import RunState

LINEAR = PRESETS["linear_10_10"]


def comparison(store: Store, *accuracies: float, name: str = "linear_10_10") -> Comparison:
    """Compare an experiment with runs of these test accuracies."""
    run = store.run(run_actions.submit(store, PRESETS[name].config))
    runs = tuple(
        replace(run, epoch=2, seconds_training=4.0, test_accuracy=accuracy, test_loss=0.1)
        for accuracy in accuracies
    )
    return Comparison(Point(PRESETS[name], PRESETS[name].config), runs)


@pytest.mark.parametrize(
    ("accuracies", "verdict"),
    [
        ((), "not run yet"),
        ((0.917,), "better"),
        ((0.9135,), "within 0.3 points"),
        ((0.9125,), "worse"),
        ((0.9120, 0.9130, 0.9125), "worse"),
        ((0.9100, 0.9150, 0.9125), "within the noise of seeds"),
    ],
)
def test_verdicts(store: Store, accuracies: tuple[float, ...], verdict: str) -> None:
    """0.916 was published; three seeds say what is noise."""
    assert comparison(store, *accuracies).verdict == verdict


def test_verdict_of_what_cannot_be_reached(store: Store) -> None:
    """A description that cannot give its number is no failure of ours."""
    assert comparison(store, 0.92, name="mlp_784").verdict == "not attainable as described"


def test_interval_is_that_of_one_more_run(store: Store) -> None:
    """Student's t on two degrees of freedom, widened by the uncertainty of the mean."""
    accuracies = (0.91, 0.92, 0.915)
    half = 4.303 * statistics.stdev(accuracies) * math.sqrt(4 / 3)
    assert comparison(store, *accuracies).interval == pytest.approx((0.915 - half, 0.915 + half))
    assert comparison(store, 0.91, 0.92).interval is None


def test_finds_runs_whatever_their_seed_and_once_a_seed(store: Store) -> None:
    """Seeds and devices do not matter, other settings do, and the same seed twice is one run."""
    ids = {}
    for seed, epochs in ((0, 17), (1, 17), (1, 17), (2, 3)):
        config = LINEAR.config.model_copy(update={"seed": seed, "epochs": epochs})
        ids[seed] = run_actions.submit(store, config, preset="linear_10_10")
        for state in (RunState.RUNNING, RunState.FINISHED):
            with store.writing() as connection:
                transition(connection, ids[seed], state)
    (found,) = compare(store, points([LINEAR]))
    assert {run.id for run in found.runs} == {ids[0], ids[1]}


def test_sweep_is_one_point_a_value() -> None:
    """Every value of a grid is a configuration of its own."""
    sweep = points([PRESETS["sweep_validation_split"]])
    assert [point.value for point in sweep] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert [point.config.n_training for point in sweep] == [54_000, 48_000, 42_000, 36_000, 30_000]
    assert sweep[0].label == "sweep_validation_split, split.fraction 0.1"


def test_means_are_over_the_seeds(store: Store) -> None:
    """Accuracy, loss and time are those of the mean run."""
    found = comparison(store, 0.91, 0.93)
    assert found.test_accuracy == pytest.approx(0.92)
    assert found.seconds_per_epoch == 2.0
    assert found.difference == pytest.approx(0.004)


def test_runs_are_records(store: Store) -> None:
    """A comparison holds whole runs, so that pages can link to them."""
    assert all(isinstance(run, Run) for run in comparison(store, 0.91).runs)
