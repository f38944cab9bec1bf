"""Studies as the command line writes them: objects for programs, words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_dash.runs.store.run_store import Store
    from mnist_dash.search.studies.costs import TrialCost
    from mnist_dash.search.studies.records import Study, Trial


def study_values(store: Store, study: Study) -> dict[str, Any]:
    """Give a study for JSON: id, name, state, trials by state, the best one, and seconds of running."""
    from mnist_dash.search.studies import study_store
    from mnist_dash.search.studies.costs import costs
    from mnist_dash.search.studies.records import TrialState, best_trial, pareto_front

    complete = study_store.trials(store, study.id, states=[TrialState.COMPLETE])
    front = pareto_front(complete, study.definition) if len(study.definition.objectives) > 1 else ()
    best = best_trial(complete, study.definition)
    spent = costs(store, study.id, {trial.number for trial in (*front, *([best] if best else []))})
    values: dict[str, Any] = {
        "study": study.id,
        "name": study.name,
        "state": study.state.value,
        "trials": {
            state.value: count for state, count in study_store.counts(store, study.id).items()
        },
        "best": None if best is None else result(best, study, spent.get(best.number)),
    }
    if len(study.definition.objectives) > 1:
        values["front"] = [result(trial, study, spent.get(trial.number)) for trial in front]
    return values | {"seconds": round(study.seconds_used, 1)}


def result(trial: Trial, study: Study, cost: TrialCost | None) -> dict[str, Any]:
    """Give a trial for JSON: its runs, objectives and values; what there is not is null."""
    values = trial.figures or ()
    runs = cost.run_ids if cost else ()
    return {
        "trial": trial.number,
        "run": runs[0] if runs else None,
        "runs": list(runs),
        "value": values[0] if values else None,
        "values": dict(zip(study.definition.objectives, values, strict=False)),
        "parameters": dict(trial.parameters),
        "test_accuracy": cost.test_accuracy if cost else None,
    }


def short_names(paths: Sequence[str]) -> list[str]:
    """Shorten paths for headings: as few of the last parts as tell them apart."""
    shortened = []
    for path in paths:
        parts = path.split(".")
        endings = [".".join(parts[-n:]) for n in range(1, len(parts) + 1)]
        unique = (
            ending
            for ending in endings
            if sum(f".{other}".endswith(f".{ending}") for other in paths) == 1
        )
        shortened.append(next(unique, path))
    return shortened


def counted(counts: Mapping[str, int]) -> str:
    """Write trials by state: ``10 complete, 2 running``."""
    return ", ".join(f"{count:,} {state}" for state, count in counts.items()) or "no trials yet"


def time_of(seconds: float) -> datetime:
    """Turn seconds since 1970 into a time."""
    return datetime.fromtimestamp(seconds, tz=UTC)
