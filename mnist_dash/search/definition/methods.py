"""What a study can be told: its objectives, sampler, pruner, budget and what its trials keep. Validated; no Optuna in here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from mnist_dash.core.kinds.spec import Spec

ObjectiveName = Literal["val_loss", "val_accuracy", "parameters", "seconds", "seconds_per_image"]


@dataclass(frozen=True)
class Objective:
    """A figure of a run that a study minimises or maximises."""

    name: ObjectiveName
    title: str
    maximize: bool
    by_epoch: bool
    """Whether there is one after every epoch, which a pruner needs."""


OBJECTIVES: dict[str, Objective] = {
    "val_accuracy": Objective("val_accuracy", "validation accuracy", maximize=True, by_epoch=True),
    "val_loss": Objective("val_loss", "validation loss", maximize=False, by_epoch=True),
    "parameters": Objective("parameters", "parameters", maximize=False, by_epoch=False),
    "seconds": Objective("seconds", "training time in seconds", maximize=False, by_epoch=False),
    "seconds_per_image": Objective(
        "seconds_per_image", "seconds per test image", maximize=False, by_epoch=False
    ),
}
"""All objectives by name. Test figures are none: a study that chose by them would have no test set left."""


class TPE(Spec):
    """Tree-structured Parzen estimator (Bergstra et al., 2011), multivariate (Falkner et al., 2018); a good first choice."""

    kind: Literal["tpe"] = "tpe"
    n_startup_trials: int = Field(10, ge=1, le=10_000, description="random trials before it begins")


class GP(Spec):
    """Gaussian process with log expected improvement (Jones et al., 1998; Ament et al., 2023); best with few, smooth, costly trials."""

    kind: Literal["gp"] = "gp"
    n_startup_trials: int = Field(10, ge=1, le=10_000, description="random trials before it begins")


class CMAES(Spec):
    """Covariance matrix adaptation (Hansen and Ostermeier, 2001); for many trials over numbers. Choices it draws at random."""

    kind: Literal["cmaes"] = "cmaes"
    population_size: int | None = Field(
        None,
        ge=4,
        le=1000,
        description="trials a generation; by the number of parameters where none",
    )
    sigma: float = Field(
        1 / 6, gt=0, le=1, description="first step width, as a share of each range"
    )


class QMC(Spec):
    """Quasi-Monte Carlo: a scrambled Sobol sequence that covers the space evenly (Bergstra and Bengio, 2012, recommend it over grids)."""

    kind: Literal["qmc"] = "qmc"


class RandomSampler(Spec):
    """Uniformly random; the yardstick of all others (Bergstra and Bengio, 2012)."""

    kind: Literal["random"] = "random"


class NSGA2(Spec):
    """Elitist genetic algorithm (Deb et al., 2002); for several objectives and hundreds of trials."""

    kind: Literal["nsga2"] = "nsga2"
    population_size: int = Field(50, ge=2, le=1000, description="trials a generation")


class Grid(Spec):
    """Every combination once, in order. Every range needs a step."""

    kind: Literal["grid"] = "grid"


Sampler = Annotated[
    TPE | GP | CMAES | QMC | RandomSampler | NSGA2 | Grid, Field(discriminator="kind")
]
SAMPLER_KINDS: dict[str, type[Spec]] = {
    "tpe": TPE,
    "gp": GP,
    "cmaes": CMAES,
    "qmc": QMC,
    "random": RandomSampler,
    "nsga2": NSGA2,
    "grid": Grid,
}


class NoPruner(Spec):
    """Every trial trains to its end."""

    kind: Literal["none"] = "none"


class MedianPruner(Spec):
    """Ends a trial whose best value so far is worse than the median of the others at the same epoch (Golovin et al., 2017)."""

    kind: Literal["median"] = "median"
    n_startup_trials: int = Field(
        5, ge=0, le=10_000, description="trials that finish before any is pruned"
    )
    n_warmup_epochs: int = Field(0, ge=0, le=10_000, description="epochs in which none is pruned")
    interval_epochs: int = Field(1, ge=1, le=10_000, description="epochs between two looks")


class PercentilePruner(Spec):
    """Ends a trial that is not among the best `percentile` per cent of the others at the same epoch."""

    kind: Literal["percentile"] = "percentile"
    percentile: float = Field(25.0, gt=0, lt=100)
    n_startup_trials: int = Field(
        5, ge=0, le=10_000, description="trials that finish before any is pruned"
    )
    n_warmup_epochs: int = Field(0, ge=0, le=10_000, description="epochs in which none is pruned")
    interval_epochs: int = Field(1, ge=1, le=10_000, description="epochs between two looks")


class HalvingPruner(Spec):
    """Asynchronous successive halving (Li et al., 2020): of every `reduction_factor` trials at a rung one goes on."""

    kind: Literal["halving"] = "halving"
    min_epochs: int = Field(1, ge=1, le=10_000, description="epochs of the first rung")
    reduction_factor: int = Field(4, ge=2, le=100)


class HyperbandPruner(Spec):
    """Hyperband (Li et al., 2018): successive halving with several first rungs at once."""

    kind: Literal["hyperband"] = "hyperband"
    min_epochs: int = Field(1, ge=1, le=10_000, description="epochs of the first rung")
    reduction_factor: int = Field(3, ge=2, le=100)


class PatientPruner(Spec):
    """Ends a trial that has not improved by `min_delta` for `patience` epochs, or only if `then_median` agrees."""

    kind: Literal["patient"] = "patient"
    patience: int = Field(3, ge=0, le=10_000)
    min_delta: float = Field(0.0, ge=0, le=10)
    then_median: bool = False


Pruner = Annotated[
    NoPruner | MedianPruner | PercentilePruner | HalvingPruner | HyperbandPruner | PatientPruner,
    Field(discriminator="kind"),
]
PRUNER_KINDS: dict[str, type[Spec]] = {
    "none": NoPruner,
    "median": MedianPruner,
    "percentile": PercentilePruner,
    "halving": HalvingPruner,
    "hyperband": HyperbandPruner,
    "patient": PatientPruner,
}


class Budget(Spec):
    """When a study asks for no more trials: at the first of what is given."""

    trials: int | None = Field(None, ge=1, le=100_000)
    minutes: float | None = Field(
        None, gt=0, le=100_000, description="of running; pauses do not count"
    )
    stagnation: int | None = Field(
        None,
        ge=2,
        le=100_000,
        description="trials without a better one after which it counts as converged",
    )


class ArtifactPolicy(Spec):
    """What trials keep besides their history: weights, checkpoints and probabilities of all, of the best, or of none."""

    kind: Literal["all", "best", "none"] = "best"
    n_best: int = Field(5, ge=1, le=1000)


def summary(spec: Spec) -> str:
    """Give the first sentence of what a sampler or pruner is, without its full stop."""
    return re.split(r"(?<!al)\.(?:\s|$)", type(spec).__doc__ or "", maxsplit=1)[0]
