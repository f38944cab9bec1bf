"""What the next trial should be, and whether a running one lags behind: Optuna's samplers and pruners over the rows of a study.

The rows are the truth. An Optuna study in this process's memory mirrors them; it is built anew when the process or the definition changes,
so a range can be narrowed and a value banned, which Optuna's own storages do not allow. Each draw has a generator of its own, seeded by
the study's seed and the trial's number: a study that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState as OptunaState
from optuna.trial import create_trial

from mnist_dash.search.definition.space import Choice, IntRange, Parameter, Scalar, applies
from mnist_dash.search.definition.study_definition import StudyDefinition
from mnist_dash.search.engine.cma import REMEMBERED, CmaSearch
from mnist_dash.search.studies.records import Trial, TrialState

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

logging.getLogger("optuna").setLevel(logging.WARNING)


class Exhausted(Exception):
    """Every combination of values has been tried."""


class Search:
    """A study's sampler and pruner, with all its trials in memory."""

    def __init__(self, definition: StudyDefinition, trials: Sequence[Trial]) -> None:
        self.definition = definition
        self._space = definition.space
        directions: list[Literal["maximize", "minimize"]] = [
            "maximize" if goal.maximize else "minimize" for goal in definition.goals
        ]
        self._study = optuna.create_study(
            storage=optuna.storages.InMemoryStorage(),
            study_name="study",
            directions=directions,
            pruner=build_pruner(definition),
        )
        self._ids: list[int] = []
        self.open: set[int] = set()
        """Numbers of the trials that have not ended."""
        self._outside: set[int] = set()
        self._cma = (
            CmaSearch(self._space, definition) if definition.sampler.kind == "cmaes" else None
        )
        self._attributes: dict[int, dict[str, Any]] = {}
        self._tried: set[str] = set()
        """The values of all trials, each written by `_named`."""
        self._combinations = self._space.grid()
        self._ahead: dict[str, Scalar] | None = None
        for trial in trials:
            self.add(trial)
        if self._cma is not None:
            for trial in sorted(
                (trial for trial in trials if trial.told_order is not None),
                key=lambda trial: trial.told_order or 0,
            ):
                if trial.state not in (TrialState.STOPPED, TrialState.FAILED) and self._fits(trial):
                    self._cma.tell(trial.attributes, self._loss(trial))

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, trial: Trial) -> None:
        """Take a trial's row over; trials come in the order of their numbers."""
        assert trial.number == len(self._ids)
        self._attributes[trial.number] = dict(trial.attributes)
        self._tried.add(_named(trial.parameters))
        if not self._fits(trial):
            self._outside.add(trial.number)
        distributions, n_objectives = (
            self._distributions(trial.parameters),
            len(self.definition.goals),
        )
        self._study.add_trial(
            _frozen(trial, distributions, fits=self._fits(trial), n_objectives=n_objectives)
        )
        self._ids.append(self._study.get_trials(deepcopy=False)[-1]._trial_id)  # noqa: SLF001 - the way to report to it later
        if trial.state.is_open:
            self.open.add(trial.number)

    def ask(self) -> tuple[dict[str, Scalar], dict[str, Any]]:
        """Choose the values of the next trial, and what is to be remembered of it; it then counts as running.

        Raises:
            Exhausted: every combination of a grid, or of a space that has an end of them, has been tried.
        """
        if self._space.grid_bound is not None and self._untried() is None:
            raise Exhausted
        number, kind = len(self._ids), self.definition.sampler.kind
        generator = np.random.default_rng(self._seed(number))
        attributes: dict[str, Any] = {}
        if kind in ("tpe", "gp", "nsga2"):
            return self._ask_optuna(number), attributes
        match kind:
            case "random":
                values = self._space.from_unit(
                    generator.random(len(self._space.parameters)).tolist()
                )
            case "qmc":
                values = self._space.from_unit(self._sobol(number))
            case "grid":
                values = self._next_of_grid()
            case _:
                assert self._cma is not None
                values, attributes = self._cma.ask(generator)
        self._start(values)
        self._attributes[number] = attributes
        return values, attributes

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Take the first objective after an epoch, from 1; say whether the trial is to be pruned.

        Several objectives have no order by epoch, and a trial outside of the present space has no others to be held against.
        """
        if number in self._outside or len(self.definition.goals) > 1:
            return False
        trial = optuna.Trial(self._study, self._ids[number])
        trial.report(value, epoch)
        return self.definition.pruner.kind != "none" and trial.should_prune()

    def tell(
        self, number: int, state: TrialState, figures: Sequence[float] | None
    ) -> dict[str, Any]:
        """Take the end of a trial; returns what is to be remembered of it.

        A diverged trial counts as the worst of the pruned: its region is avoided, and it is never the best.
        """
        kept = self._attributes.get(number, {})
        self.open.discard(number)
        if number in self._outside:
            return kept
        if state is TrialState.COMPLETE:
            assert figures is not None
            self._study.tell(number, values=list(figures))
        elif state in (TrialState.PRUNED, TrialState.DIVERGED) and len(self.definition.goals) == 1:
            if state is TrialState.DIVERGED:
                trial = optuna.Trial(self._study, self._ids[number])
                trial.report(math.nan, max((0, *self._frozen(number).intermediate_values)) + 1)
            self._study.tell(number, state=OptunaState.PRUNED)
        else:
            self._study.tell(number, state=OptunaState.FAIL)
        attributes = kept | {
            name: value
            for name, value in self._frozen(number).system_attrs.items()
            if _is_kept(name, value)
        }
        if self._cma is not None and state not in (TrialState.STOPPED, TrialState.FAILED):
            self._cma.tell(
                attributes, self._signed(figures) if state is TrialState.COMPLETE else math.inf
            )
        return attributes

    def is_stagnant(self) -> bool:
        """Say whether the study's budget ends it because no trial has been better for long."""
        patience = self.definition.budget.stagnation
        complete = [
            trial
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state is OptunaState.COMPLETE
        ]
        if patience is None or len(complete) <= patience:
            return False
        losses = [self._signed(trial.values) for trial in complete]
        return min(losses[-patience:]) >= min(losses[:-patience])

    @property
    def study(self) -> optuna.Study:
        """The Optuna study itself, to be exported."""
        return self._study

    def _ask_optuna(self, number: int) -> dict[str, Scalar]:
        self._study.sampler = build_sampler(self.definition, self._seed(number))
        trial = self._study.ask()
        values: dict[str, Scalar] = {}
        for parameter in self._space.parameters:
            if applies(parameter, values):
                values[parameter.path] = trial._suggest(parameter.path, distribution(parameter))  # noqa: SLF001 - suggest_* by kind
        self._tried.add(_named(values))
        self.open.add(number)
        self._ids.append(trial._trial_id)  # noqa: SLF001
        return values

    def _start(self, values: Mapping[str, Scalar]) -> None:
        frozen = create_trial(
            state=OptunaState.RUNNING,
            params=dict(values),
            distributions=self._distributions(values),
        )
        self._study.add_trial(frozen)
        self._tried.add(_named(values))
        self.open.add(len(self._ids))
        self._ids.append(self._study.get_trials(deepcopy=False)[-1]._trial_id)  # noqa: SLF001

    def _frozen(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]

    def _distributions(self, values: Iterable[str]) -> dict[str, BaseDistribution]:
        known = {parameter.path: parameter for parameter in self._space.parameters}
        return {path: distribution(known[path]) for path in values if path in known}

    def _seed(self, number: int) -> int:
        digest = hashlib.sha256(f"{self.definition.seed}.{number}".encode()).digest()
        return int.from_bytes(digest[:4], "little")

    def _sobol(self, number: int) -> list[float]:
        from scipy.stats import qmc  # takes half a second

        engine = qmc.Sobol(
            len(self._space.parameters),
            scramble=True,
            rng=np.random.default_rng(self.definition.seed),
        )
        if number:
            engine.fast_forward(number)
        return [min(float(value), 1 - 1e-12) for value in engine.random(1)[0]]

    def _next_of_grid(self) -> dict[str, Scalar]:
        values = self._untried()
        if values is None:
            raise Exhausted
        return values

    def _untried(self) -> dict[str, Scalar] | None:
        """Give the first combination of values that no trial has had; None where there is none.

        Trials only become more, so what was passed over needs no second look, and a whole study takes one walk over the combinations.
        """
        while self._ahead is None or _named(self._ahead) in self._tried:
            self._ahead = next(self._combinations, None)
            if self._ahead is None:
                return None
        return self._ahead

    def _fits(self, trial: Trial) -> bool:
        return self._space.restrict(trial.parameters) == dict(trial.parameters)

    def _loss(self, trial: Trial) -> float:
        return self._signed(trial.figures) if trial.state is TrialState.COMPLETE else math.inf

    def _signed(self, figures: Sequence[float] | None) -> float:
        assert figures is not None
        return -figures[0] if self.definition.goals[0].maximize else figures[0]


def distribution(parameter: Parameter) -> BaseDistribution:
    """Write a parameter as Optuna has it."""
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.values)
    if isinstance(parameter, IntRange):
        return IntDistribution(
            parameter.low, parameter.high, log=parameter.log, step=parameter.step
        )
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)


def build_sampler(definition: StudyDefinition, seed: int) -> BaseSampler:
    """Build one of Optuna's own samplers for one draw."""
    sampler = definition.sampler
    match sampler.kind:
        case "tpe":
            with warnings.catch_warnings():
                # `group` is pinned with Optuna's version.
                warnings.simplefilter("ignore", ExperimentalWarning)
                return optuna.samplers.TPESampler(
                    n_startup_trials=sampler.n_startup_trials,
                    multivariate=True,
                    group=definition.space.is_conditional,
                    constant_liar=True,
                    seed=seed,
                )
        case "gp":
            return optuna.samplers.GPSampler(n_startup_trials=sampler.n_startup_trials, seed=seed)
        case "nsga2":
            return optuna.samplers.NSGAIISampler(population_size=sampler.population_size, seed=seed)
    raise AssertionError(sampler.kind)


def build_pruner(definition: StudyDefinition) -> BasePruner:
    """Build the pruner; steps are epochs, from 1."""
    pruner = definition.pruner
    startup = {"n_startup_trials": getattr(pruner, "n_startup_trials", 5)}
    match pruner.kind:
        case "none":
            return optuna.pruners.NopPruner()
        case "median":
            return optuna.pruners.MedianPruner(
                **startup,
                n_warmup_steps=pruner.n_warmup_epochs,
                interval_steps=pruner.interval_epochs,
            )
        case "percentile":
            return optuna.pruners.PercentilePruner(
                pruner.percentile,
                **startup,
                n_warmup_steps=pruner.n_warmup_epochs,
                interval_steps=pruner.interval_epochs,
            )
        case "halving":
            return optuna.pruners.SuccessiveHalvingPruner(
                min_resource=pruner.min_epochs, reduction_factor=pruner.reduction_factor
            )
        case "hyperband":
            longest = max(_longest(definition), pruner.min_epochs)
            return optuna.pruners.HyperbandPruner(
                min_resource=pruner.min_epochs,
                max_resource=longest,
                reduction_factor=pruner.reduction_factor,
            )
        case "patient":
            wrapped = optuna.pruners.MedianPruner() if pruner.then_median else None
            return optuna.pruners.PatientPruner(
                wrapped, patience=pruner.patience, min_delta=pruner.min_delta
            )


def _longest(definition: StudyDefinition) -> int:
    for parameter in definition.space.parameters:
        if isinstance(parameter, IntRange) and parameter.path == "epochs":
            return parameter.high
    return definition.space.base.epochs


def _frozen(
    trial: Trial, distributions: dict[str, BaseDistribution], *, fits: bool, n_objectives: int
) -> FrozenTrial:
    """Write a trial's row as Optuna has it; one outside of the present space is there, but taught nothing."""
    curve = {epoch: value for epoch, value in enumerate(trial.curve, 1) if math.isfinite(value)}
    attributes = {name: value for name, value in trial.attributes.items() if name not in REMEMBERED}
    if not fits:
        return create_trial(state=OptunaState.FAIL)
    shared: dict[str, Any] = {
        "params": dict(trial.parameters),
        "distributions": distributions,
        "system_attrs": attributes,
    }
    if trial.state is TrialState.COMPLETE:
        return create_trial(values=list(trial.figures or ()), intermediate_values=curve, **shared)
    if trial.state in (TrialState.PRUNED, TrialState.DIVERGED) and n_objectives == 1:
        if trial.state is TrialState.DIVERGED:
            curve[len(curve) + 1] = math.nan
        return create_trial(state=OptunaState.PRUNED, intermediate_values=curve, **shared)
    if trial.state.is_open:
        return create_trial(state=OptunaState.RUNNING, intermediate_values=curve, **shared)
    return create_trial(state=OptunaState.FAIL, **shared)


def _named(values: Mapping[str, object]) -> str:
    return json.dumps(values, sort_keys=True)


def _is_kept(name: str, value: object) -> bool:
    """Say whether a later draw may need what Optuna noted of a trial; the parameters themselves are in its row."""
    if "relative_params" in name:
        return False
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
