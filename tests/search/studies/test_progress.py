"""How far a study is, and what one will cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.methods import Budget
from mnist_dash.search.definition.space import IntRange
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.estimate import estimate_study
from mnist_dash.search.studies.progress import mean_trials_per_hour, progress
from mnist_dash.search.studies.records import StudyState
from tests.search.conftest import Player, define


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing advance the studies."""
    monkeypatch.setattr(steering, "ensure_study_runner", lambda _settings: None)


@pytest.mark.parametrize(
    ("budget", "share", "left"),
    [
        (Budget(trials=20), 0.25, 15 * 60.0),
        (Budget(trials=20, minutes=10), 0.5, 300.0),
        (Budget(trials=6, minutes=100), 5 / 6, 60.0),
        (Budget(stagnation=5), None, None),
    ],
)
def test_the_nearest_end_decides(
    store: Store, budget: Budget, share: float | None, left: float | None
) -> None:
    """Five trials in five minutes: what is spent and what is left follow the end that comes first."""
    study_id = steering.create(store, define().model_copy(update={"budget": budget}))
    study = replace(study_store.find(store, study_id), seconds_used=300.0)
    pace = mean_trials_per_hour(study, 5)
    reached = progress(study, 5, trials_per_hour=pace)
    assert pace == 60.0
    assert (reached.share, reached.seconds_left) == (share, left)
    assert (
        progress(replace(study, state=StudyState.PAUSED), 5, trials_per_hour=pace).seconds_left
        is None
    )


def test_a_study_costs_its_runs(store: Store) -> None:
    """Trials times seeds, each as long as the runs before it took, as many at once as there are workers."""
    definition = define(trials=12, parallelism=4).model_copy(update={"seeds": 2})
    assert estimate_study(store, definition).seconds is None
    Player(store, define("timed", trials=2)).go()
    expected = estimate_study(store, definition)
    assert expected.n_runs == 24
    assert expected.run.seconds_total is not None
    assert expected.seconds == pytest.approx(
        24 * expected.run.seconds_total / min(expected.n_workers, 8)
    )
    assert not expected.n_runs_is_bound


def test_epochs_that_are_explored_count_with_their_middle(store: Store) -> None:
    """A study of 2 to 10 epochs takes six a run, say."""
    Player(store, define("timed", trials=2)).go()
    plain = define()
    space = plain.space.model_copy(
        update={"parameters": (*plain.space.parameters, IntRange(path="epochs", low=2, high=10))}
    )
    ratio = [
        estimate_study(store, each).run.seconds_total
        for each in (plain.model_copy(update={"space": space}), plain)
    ]
    assert ratio[0] == pytest.approx(6 / plain.space.base.epochs * (ratio[1] or 0))
