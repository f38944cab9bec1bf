"""Studies step by step: trials begun and told once, pruning, steering, taking over, and the same study twice."""

from __future__ import annotations

import json
import math

import pytest
import sqlalchemy as sa

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.optimizers import SGD
from mnist_dash.errors import (
    Fenced,
    IllegalTransition,
    InvalidConfig,
    InvalidInput,
    InvalidStudy,
    UnknownStudy,
)
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.actions.steering import pause
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.actions import steering
from mnist_dash.search.actions.steering import Narrowing
from mnist_dash.search.definition.space import Scalar
from mnist_dash.search.engine.advance import end_run
from mnist_dash.search.engine.artifact_policy import discard_files, kept_trials
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import Origin, StudyState, Trial, TrialState, best_trial
from tests.search.conftest import Player, accuracy, define


def trials_of(store: Store, player: Player) -> tuple[Trial, ...]:
    """Read the trials of a played study."""
    return study_store.trials(store, player.id)


def values_of(trials: tuple[Trial, ...]) -> list[object]:
    """Take what must be the same in the same study."""
    return [
        (trial.number, trial.state, dict(trial.parameters), trial.figures, trial.curve)
        for trial in trials
    ]


def assert_whole(store: Store, player: Player, n_trials: int) -> None:
    """Assert that every trial was told once, with its runs, and that the best is that of the runs."""
    trials = trials_of(store, player)
    assert [trial.number for trial in trials] == list(range(n_trials))
    assert sorted(trial.told_order for trial in trials if trial.told_order is not None) == list(
        range(n_trials)
    )
    runs = study_store.runs_of(store, player.id)
    assert set(runs) == {trial.number for trial in trials if trial.state is not TrialState.FAILED}
    assert store.count() == sum(map(len, runs.values()))
    best = best_trial(trials, study_store.find(store, player.id).definition)
    finished = [run for run in store.runs(limit=1000) if run.state is RunState.FINISHED]
    assert best is not None
    assert best.figures == (
        max(
            run.last_val_accuracy or 0
            for run in finished
            if run.id in {own for ids in runs.values() for own in ids}
        ),
    )


def test_study_runs_to_its_end(store: Store) -> None:
    """Twenty trials are begun one at a time, told once, and the study says why it ended."""
    player = Player(store, define())
    assert player.go() is StudyState.FINISHED
    assert_whole(store, player, 20)
    study = study_store.find(store, player.id)
    assert study.reason == "All 20 trials are done."
    assert study_store.counts(store, player.id) == {TrialState.COMPLETE: 20}
    trial = trials_of(store, player)[3]
    config = study.definition.space.configure(trial.parameters)
    assert trial.curve == pytest.approx([accuracy(config, epoch) for epoch in (1, 2, 3)])
    assert trial.figures == pytest.approx((accuracy(config, 3),))


@pytest.mark.parametrize("pruner", ["none", "median", "hyperband"])
def test_same_study_twice(store: Store, pruner: str) -> None:
    """The same search with the same seed, one trial at a time, gives the same trials, also when it is taken over again and again."""
    once = Player(store, define("once", pruner=pruner))
    once.go()
    again = Player(store, define("again", pruner=pruner))
    for turn in range(60):
        again.go(steps=1)
        again.take_over(f"holder {turn}")
    assert study_store.find(store, again.id).state is StudyState.FINISHED
    assert values_of(trials_of(store, again)) == values_of(trials_of(store, once))


def test_pruned_trials_stop_their_runs(store: Store) -> None:
    """What the pruner ends is pruned in both tables, at the epoch at which it was decided, never after the last one."""
    player = Player(store, define(pruner="median", trials=30))
    player.go()
    trials = trials_of(store, player)
    pruned = [trial for trial in trials if trial.state is TrialState.PRUNED]
    assert len(pruned) > 3
    for trial in pruned:
        (run_id,) = study_store.runs_of(store, player.id)[trial.number]
        assert store.run(run_id).state is RunState.PRUNED
        assert len(trial.curve) < 3
        assert trial.figures == (trial.curve[-1],)
        assert trial.reason == f"Pruned after epoch {len(trial.curve)}."
    assert_whole(store, player, 30)


def test_parallelism_is_held(store: Store) -> None:
    """So many trials are in flight, more when it is raised, and none beyond it."""
    player = Player(store, define(parallelism=3))
    player.advancer.step()
    assert study_store.counts(store, player.id) == {TrialState.RUNNING: 3}
    steering.set_parallelism(store, player.id, 5)
    player.advancer.step()
    assert study_store.counts(store, player.id) == {TrialState.RUNNING: 5}
    player.advancer.step()
    assert study_store.counts(store, player.id) == {TrialState.RUNNING: 5}
    assert player.go() is StudyState.FINISHED
    assert_whole(store, player, 20)


def test_seeds_are_averaged(store: Store) -> None:
    """With three seeds a trial has three runs; its figure is their mean, its curve too, and their deviation is kept."""

    def score(config: RunConfig, epoch: int) -> float:
        return accuracy(config, epoch) + 0.01 * config.seed

    definition = define(trials=4).model_copy(update={"seeds": 3})
    player = Player(store, definition, score=score)
    player.go()
    for trial in trials_of(store, player):
        config = definition.space.configure(trial.parameters)
        assert trial.figures == pytest.approx((accuracy(config, 3) + 0.01,))
        assert trial.deviation == pytest.approx(0.01)
        assert [
            store.run(run_id).config.seed
            for run_id in study_store.runs_of(store, player.id)[trial.number]
        ] == [0, 1, 2]


def test_diverging_trial_is_never_the_best(store: Store) -> None:
    """A run whose loss is no number has no figure, and the study goes on."""

    def score(config: RunConfig, epoch: int) -> float:
        return math.inf if config.optimizer.learning_rate > 0.05 else accuracy(config, epoch)

    player = Player(store, define(), score=score)
    assert player.go() is StudyState.FINISHED
    diverged = [trial for trial in trials_of(store, player) if trial.state is TrialState.DIVERGED]
    assert diverged
    assert all(trial.figures is None for trial in diverged)
    assert all("not a number" in trial.reason for trial in diverged)
    best = best_trial(trials_of(store, player), define())
    assert best is not None
    assert best.figures is not None
    assert math.isfinite(best.figures[0])


def test_several_objectives(store: Store) -> None:
    """Accuracy against parameters: each trial has both figures."""
    tree = define(trials=6).model_dump()
    parameters = [
        {"kind": "int", "path": "dense.units", "low": 8, "high": 64},
        {"kind": "int", "path": "dense.n_layers", "low": 1, "high": 2},
    ]
    tree |= {
        "objectives": ["val_accuracy", "parameters"],
        "space": tree["space"] | {"parameters": parameters},
    }
    player = Player(store, type(define()).model_validate(tree))
    assert player.go() is StudyState.FINISHED
    for trial in trials_of(store, player):
        (run_id,) = study_store.runs_of(store, player.id)[trial.number]
        assert trial.figures is not None
        assert trial.figures[1] == store.run(run_id).n_parameters


def test_budget_of_stagnation(store: Store) -> None:
    """A study that brings nothing better ends by itself."""
    definition = define().model_copy(
        update={"budget": define().budget.model_copy(update={"trials": None, "stagnation": 5})}
    )
    player = Player(store, definition, score=lambda *_: 0.9)
    assert player.go() is StudyState.FINISHED
    assert "has converged" in study_store.find(store, player.id).reason
    assert len(trials_of(store, player)) <= 8


def test_pause_resume_extend_stop(store: Store) -> None:
    """A paused study begins nothing, a resumed one goes on, an ended one can be given more, a stopped one ends with what runs."""
    player = Player(store, define(trials=4))
    player.go(steps=1)
    steering.pause(store, player.id)
    player.train_one()
    for _ in range(3):
        assert player.advancer.step() is StudyState.PAUSED
    n_before = len(trials_of(store, player))
    assert store.queue() == ()
    with pytest.raises(IllegalTransition):
        steering.pause(store, player.id)
    steering.resume(store, player.id)
    assert player.go() is StudyState.FINISHED
    assert n_before < 4
    steering.extend(store, player.id, 3)
    assert player.advancer.step() is StudyState.RUNNING
    player.go(steps=1)
    steering.stop(store, player.id)
    assert player.go() is StudyState.STOPPED
    with pytest.raises(IllegalTransition):
        steering.stop(store, player.id)
    assert 4 < len(trials_of(store, player)) < 7
    assert all(not trial.state.is_open for trial in trials_of(store, player))
    said = [event.sentence for event in study_store.events(store, player.id)]
    assert said[1:] == [
        "Paused.",
        "Resumed.",
        "All 4 trials are done.",
        "3 more trials.",
        "Stopped; what runs is let to end.",
        "Stopped by hand.",
    ]


def test_stop_cancels_what_runs(store: Store) -> None:
    """Cancelled trials are stopped with their runs, queued or training."""
    player = Player(store, define(parallelism=3))
    player.advancer.step()
    steering.stop(store, player.id, cancel=True)
    assert player.advancer.step() is StudyState.STOPPED
    assert {trial.state for trial in trials_of(store, player)} == {TrialState.STOPPED}
    assert {run.state for run in store.runs()} == {RunState.STOPPED}


def test_one_trial_is_stopped(store: Store) -> None:
    """A trial that a person stops counts for nothing, and another is begun."""
    player = Player(store, define())
    player.advancer.step()
    steering.stop_trial(store, player.id, 0)
    player.advancer.step()
    first, second = trials_of(store, player)
    assert (first.state, second.state) == (TrialState.STOPPED, TrialState.RUNNING)
    with pytest.raises(InvalidInput, match="Trial 0 neither waits nor runs"):
        steering.stop_trial(store, player.id, 0)


def test_stopping_a_run_stops_its_trial(store: Store) -> None:
    """A run that is stopped on its own page ends its trial without a figure."""
    player = Player(store, define())
    player.advancer.step()
    run_actions.stop(store, store.queue()[0].id)
    player.advancer.step()
    assert trials_of(store, player)[0].state is TrialState.STOPPED


def test_narrowed_range_is_searched_alone(store: Store) -> None:
    """After narrowing every draw lies within the new bounds; the former trials stay, and undoing brings the old range back."""
    player = Player(store, define())
    player.go(steps=6)
    steering.narrow(
        store,
        player.id,
        (Narrowing("optimizer.learning_rate", 0.02, 0.005), Narrowing("batch_size", 100.4, 300.2)),
    )
    n_before = len(trials_of(store, player))
    player.go(steps=5)
    later = trials_of(store, player)[n_before:]
    assert len(later) > 3
    assert all(
        0.005 <= float(str(trial.parameters["optimizer.learning_rate"])) <= 0.02 for trial in later
    )
    assert all(100 <= int(str(trial.parameters["batch_size"])) <= 300 for trial in later)
    assert "Searches only here" in steering.undo(store, player.id)
    assert study_store.find(store, player.id).definition == define()
    with pytest.raises(InvalidInput, match="is a choice and has no bounds"):
        steering.narrow(store, player.id, (Narrowing("optimizer.kind", 0, 1),))
    with pytest.raises(InvalidStudy, match="above 0"):
        steering.narrow(store, player.id, (Narrowing("optimizer.learning_rate", 0, 1),))
    assert player.go() is StudyState.FINISHED


def test_banned_value_is_drawn_no_more(store: Store) -> None:
    """A banned choice takes the parameters along that depend on it alone."""
    player = Player(store, define())
    player.go(steps=6)
    steering.ban(store, player.id, "optimizer.kind", "sgd")
    n_before = len(trials_of(store, player))
    player.go(steps=8)
    later = trials_of(store, player)[n_before:]
    assert len(later) > 5
    assert {trial.parameters["optimizer.kind"] for trial in later} == {"adam"}
    assert study_store.find(store, player.id).definition.space.paths == (
        "optimizer.kind",
        "optimizer.learning_rate",
        "batch_size",
    )
    with pytest.raises(InvalidInput, match="adam is the last value of"):
        steering.ban(store, player.id, "optimizer.kind", "adam")


def test_asked_for_configuration_is_tried_next(store: Store) -> None:
    """What a person asks for comes before the sampler's next, also outside of the ranges; nonsense is refused."""
    player = Player(store, define())
    player.advancer.step()
    wanted: dict[str, Scalar] = {
        "optimizer.kind": "adam",
        "optimizer.learning_rate": 5.0,
        "batch_size": 100.0,
    }
    number = steering.try_next(store, player.id, wanted)
    player.go(steps=2)
    trial = trials_of(store, player)[number]
    assert (
        trial.origin,
        trial.parameters["batch_size"],
        trial.parameters["optimizer.learning_rate"],
    ) == (Origin.PERSON, 100, 5.0)
    assert trial.state is TrialState.COMPLETE
    with pytest.raises(InvalidConfig, match="at most 100"):
        steering.try_next(store, player.id, wanted | {"optimizer.learning_rate": 500.0})
    with pytest.raises(InvalidInput, match="epochs is not explored by this study"):
        steering.try_next(store, player.id, {"epochs": 3})
    player.go()
    assert_whole(store, player, 20)
    with pytest.raises(IllegalTransition):
        steering.try_next(store, player.id, wanted)


def test_other_process_cannot_write(store: Store) -> None:
    """A process that was frozen while another took the study over changes nothing."""
    player = Player(store, define())
    player.go(steps=2)
    frozen = player.advancer
    player.take_over("second")
    player.train_one()
    before = values_of(trials_of(store, player))
    with pytest.raises(Fenced):
        frozen.step()
    assert values_of(trials_of(store, player)) == before
    player.go()
    assert_whole(store, player, 20)


def test_files_of_the_best_are_kept(store: Store) -> None:
    """Trials keep their history; files only the best two."""
    player = Player(store, define(trials=6, keep="best 2"))
    player.go()
    study, trials = study_store.find(store, player.id), trials_of(store, player)
    kept = kept_trials(study.definition, trials)
    assert len(kept) == 2
    assert discard_files(store, study, trials) == 4
    having = {
        number
        for number, (run_id,) in study_store.runs_of(store, player.id).items()
        if artifacts.has(store, run_id, ArtifactKind.CHECKPOINT)
        and artifacts.read(store, run_id, ArtifactKind.CHECKPOINT)
    }
    assert having == kept
    assert all(
        len(store.history(run_id).epochs) == 3
        for (run_id,) in study_store.runs_of(store, player.id).values()
    )
    assert discard_files(store, study, trials) == 0


def test_names_are_their_own(store: Store) -> None:
    """A taken name is refused with one that is free; the same submission again is the same study."""
    first = steering.create(store, define("mine"), key="a" * 32)
    assert steering.create(store, define("mine"), key="a" * 32) == first
    with pytest.raises(
        InvalidStudy, match=r"the name 'mine' is taken\. Choose another name, such as mine-2"
    ):
        steering.create(store, define("mine"))
    assert study_store.find(store, "mine").id == first
    with pytest.raises(UnknownStudy):
        study_store.find(store, "yours")


def test_edited_file_is_refused(store: Store) -> None:
    """A file whose space is not that of the study of its name any more is refused; another budget is not."""
    player = Player(store, define("mine"))
    attached = steering.attach(store, define("mine", trials=99, parallelism=4))
    assert attached is not None
    assert attached.id == player.id
    with pytest.raises(InvalidStudy, match="sampler: it differs from the study of this name"):
        steering.attach(store, define("mine", sampler="random"))
    assert steering.attach(store, define("another")) is None


def test_values_that_go_together_badly_fail_alone(store: Store) -> None:
    """A combination that makes no configuration is a failed trial with the rule, and the study goes on."""
    tree = define(trials=8, sampler="random").model_dump()
    parameters = [
        {"kind": "choice", "path": "optimizer.nesterov", "values": [True, False]},
        {"kind": "choice", "path": "optimizer.momentum", "values": [0.0, 0.9]},
    ]
    base = RunConfig(optimizer=SGD(momentum=0.9), epochs=3)
    tree["space"] = {"base": base.model_dump(), "parameters": parameters}
    player = Player(store, define(trials=8, sampler="random"))
    # Such a space is refused when it is created; this one is older than the rule.
    with store.writing() as connection:
        connection.execute(
            schema.studies.update().values(definition=json.dumps(tree, default=list))
        )
    assert player.go() is StudyState.FINISHED
    failed = [trial for trial in trials_of(store, player) if trial.state is TrialState.FAILED]
    assert failed
    assert all("Nesterov" in trial.reason for trial in failed)


def test_every_told_trial_has_its_row_once(store: Store) -> None:
    """The link of trial, seed and run is unique."""
    player = Player(store, define(parallelism=4))
    player.go()
    with store.reading() as connection:
        links = connection.execute(sa.select(schema.trial_runs)).all()
    assert len({link.run_id for link in links}) == len(links) == 20


def test_a_paused_run_ends_with_its_trial(store: Store) -> None:
    """Nobody trains it, so nobody would hear that it is to stop."""
    for pruned, state in ((True, RunState.PRUNED), (False, RunState.STOPPED)):
        run_id = run_actions.submit(store, RunConfig())
        pause(store, run_id)
        with store.writing() as connection:
            end_run(connection, run_id, pruned=pruned)
        assert store.run(run_id).state is state
