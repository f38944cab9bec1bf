"""Samplers and pruners over rows: deterministic, independent of restarts, and better than chance."""

from __future__ import annotations

import numpy as np
import optuna
import pytest

from mnist_dash.search.definition.methods import Grid
from mnist_dash.search.definition.space import Choice, FloatRange, IntRange, SearchSpace
from mnist_dash.search.definition.study_definition import StudyDefinition
from mnist_dash.search.engine import sampling
from mnist_dash.search.engine.sampling import Exhausted, Search
from mnist_dash.search.studies.insight import MIN_TRIALS, importances
from mnist_dash.search.studies.records import Origin, Trial, TrialState
from mnist_dash.search.studies.suggest import space_of, suggest
from tests.search.conftest import accuracy, define

SAMPLERS = ("tpe", "cmaes", "qmc", "random", "nsga2")


def played(definition: StudyDefinition, n: int, *, restart_every: int = 0) -> list[Trial]:
    """Play trials one after the other; the process that samples is replaced as often as asked."""
    search, trials = Search(definition, ()), list[Trial]()
    for number in range(n):
        if restart_every and number % restart_every == restart_every - 1:
            search = Search(definition, trials)
        values, _ = search.ask()
        config = definition.space.configure(values)
        curve = []
        state = TrialState.COMPLETE
        for epoch in (1, 2, 3):
            curve.append(accuracy(config, epoch))
            if search.report(number, epoch, curve[-1]):
                state = TrialState.PRUNED
                break
        attributes = search.tell(number, state, (curve[-1],))
        trial = Trial(
            number,
            state,
            Origin.SAMPLER,
            values,
            (curve[-1],),
            None,
            tuple(curve),
            attributes,
            "",
            0.0,
            0.0,
            0.0,
            number,
        )
        trials.append(trial)
    return trials


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_same_seed_gives_same_trials_through_restarts(sampler: str) -> None:
    """A study goes on after a restart as if there had been none, whatever the sampler, with a pruner."""
    definition = define(sampler=sampler, pruner="median")
    once = played(definition, 40)
    again = played(definition, 40, restart_every=7)
    assert [trial.parameters for trial in again] == [trial.parameters for trial in once]
    assert [trial.state for trial in again] == [trial.state for trial in once]
    other = played(definition.model_copy(update={"seed": 1}), 5)
    assert [trial.parameters for trial in other] != [trial.parameters for trial in once[:5]]


def test_gaussian_process_goes_on_after_a_restart() -> None:
    """The costliest sampler too, with fewer trials."""
    definition = define(sampler="{kind: gp, n_startup_trials: 4}")
    assert [trial.parameters for trial in played(definition, 7, restart_every=3)] == [
        trial.parameters for trial in played(definition, 7)
    ]


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_search_beats_chance(sampler: str) -> None:
    """The later half of a search is better than random trials are."""

    def late(kind: str) -> float:
        return float(
            np.mean(
                [
                    trial.figures[0]
                    for trial in played(define(sampler=kind), 80)[40:]
                    if trial.figures
                ]
            )
        )

    assert late(sampler) > late("random") + 0.02


def test_grid_ends() -> None:
    """A grid gives each point once and then says so."""
    text = define().model_dump()
    parameters = [{"kind": "choice", "path": "batch_size", "values": [64, 128, 256]}]
    definition = StudyDefinition.model_validate(
        text | {"sampler": {"kind": "grid"}, "space": text["space"] | {"parameters": parameters}}
    )
    search = Search(definition, ())
    assert [search.ask()[0]["batch_size"] for _ in range(3)] == [64, 128, 256]
    with pytest.raises(Exhausted):
        search.ask()


def test_sobol_covers_the_space_evenly() -> None:
    """Sixteen points of a Sobol sequence have one in each sixteenth of every number."""
    text = define(sampler="qmc").model_dump()
    parameters = [
        {"kind": "float", "path": "label_smoothing", "low": 0.0, "high": 0.4},
        {"kind": "float", "path": "split.fraction", "low": 0.1, "high": 0.5},
    ]
    definition = StudyDefinition.model_validate(
        text | {"space": text["space"] | {"parameters": parameters}}
    )
    search = Search(definition, ())
    drawn = [search.ask()[0] for _ in range(16)]
    for path, low, width in (("label_smoothing", 0.0, 0.4), ("split.fraction", 0.1, 0.4)):
        cells = sorted(int(16 * (float(str(values[path])) - low) / width) for values in drawn)
        assert cells == list(range(16))


def test_diverged_trials_are_avoided() -> None:
    """A region that diverges is drawn less and less, though no such trial has a figure."""
    definition = define(sampler="tpe")
    search = Search(definition, ())
    high = []
    for number in range(80):
        values, _ = search.ask()
        rate = float(str(values["optimizer.learning_rate"]))
        high.append(rate > 0.1)
        if rate > 0.1:
            search.tell(number, TrialState.DIVERGED, None)
        else:
            # Nothing but the divergence tells rates apart.
            search.tell(number, TrialState.COMPLETE, (0.5,))
    assert sum(high[:30]) > 3
    assert sum(high[-30:]) < sum(high[:30]) / 2
    assert search.study.best_trial.value == max(
        trial.values[0] for trial in search.study.trials if trial.values
    )


def test_importances_are_those_of_optuna() -> None:
    """The rating in numpy gives the numbers of Optuna's own PED-ANOVA."""
    parameters = tuple(
        parameter for parameter in define().space.parameters if not parameter.conditions
    )
    definition = define(sampler="random")
    definition = definition.model_copy(
        update={"space": SearchSpace(base=definition.space.base, parameters=parameters)}
    )
    trials = played(definition, 200)
    rated = importances(
        definition.space,
        [trial.parameters for trial in trials],
        [-trial.figures[0] for trial in trials if trial.figures],
    )
    theirs = optuna.importance.get_param_importances(
        Search(definition, trials).study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
    )
    assert list(rated) == list(theirs)
    assert list(rated.values()) == pytest.approx(list(theirs.values()), rel=1e-6)
    assert next(iter(rated)) == "optimizer.learning_rate"
    assert (
        importances(
            definition.space,
            [trial.parameters for trial in trials[: MIN_TRIALS - 1]],
            [0.0] * (MIN_TRIALS - 1),
        )
        == {}
    )


def test_proposal_is_near_the_optimum() -> None:
    """After a few dozen random runs the proposal is better than all but a few of them, and is the same every time."""
    definition = define(sampler="random")
    trials = played(definition, 40)
    values, figures = (
        [trial.parameters for trial in trials],
        [trial.figures[0] for trial in trials if trial.figures],
    )
    found = suggest(definition.space, values, figures, maximize=True)
    assert found == suggest(definition.space, values, figures, maximize=True)
    assert accuracy(found.config, 3) > np.quantile(figures, 0.9)
    assert abs(found.expected - accuracy(found.config, 3)) < 4 * found.deviation
    assert found.best == max(figures)


def test_space_of_hand_made_runs() -> None:
    """The settings in which runs differ are the space, a little wider than what was tried."""
    base = define().space.base
    configs = [
        base.model_copy(update={"batch_size": size, "seed": size}) for size in (64, 128, 512)
    ]
    space, values = space_of(configs)
    (parameter,) = space.parameters
    assert not isinstance(parameter, FloatRange)
    assert parameter.path == "batch_size"
    assert [own["batch_size"] for own in values] == [64, 128, 512]
    assert parameter.contains(60)
    assert parameter.contains(600)


def test_a_large_grid_is_walked_over_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a million combinations, each trial looks at the next one and at no former one, after a restart too."""
    ranges = tuple(
        IntRange(path=path, low=1, high=100)
        for path in ("epochs", "batch_size", "optimizer.learning_rate")
    )
    space = SearchSpace(base=define().space.base, parameters=ranges)
    definition = define().model_copy(update={"space": space, "sampler": Grid()})
    named, n_looks = sampling._named, 0

    def counted(values: object) -> str:
        nonlocal n_looks
        n_looks += 1
        return named(values)  # type: ignore[arg-type]

    monkeypatch.setattr(sampling, "_named", counted)
    search, trials = Search(definition, ()), list[Trial]()
    for number in range(2000):
        if number == 1000:
            search = Search(definition, trials)
        values, _ = search.ask()
        trials.append(
            Trial(
                number,
                TrialState.RUNNING,
                Origin.SAMPLER,
                values,
                None,
                None,
                (),
                {},
                "",
                0.0,
                None,
                None,
                None,
            )
        )
    expected = [(1, number // 100 + 1, number % 100 + 1) for number in range(2000)]
    assert [tuple(trial.parameters.values()) for trial in trials] == expected
    assert n_looks < 5 * 2000


@pytest.mark.parametrize("sampler", ["{kind: gp, n_startup_trials: 2}", "tpe", "random", "qmc"])
def test_a_space_with_an_end_is_exhausted(sampler: str) -> None:
    """Once every combination was tried there is nothing new to ask for, whatever the sampler."""
    choice = Choice(path="batch_size", values=(32, 64))
    definition = define(sampler=sampler)
    definition = definition.model_copy(
        update={"space": SearchSpace(base=definition.space.base, parameters=(choice,))}
    )
    search, tried = Search(definition, ()), set[object]()
    while len(tried) < 2:
        values, _ = search.ask()
        search.tell(len(search) - 1, TrialState.COMPLETE, (0.5,))
        tried.add(values["batch_size"])
    with pytest.raises(Exhausted):
        search.ask()
