"""One study in a notebook: its trials as a table, and the best of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from mnist_dash.api.card import card, lines
from mnist_dash.api.run import Run
from mnist_dash.api.waiting import wait
from mnist_dash.following.study import FollowedStudy
from mnist_dash.formatting import NOTHING, duration
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.study_definition import StudyDefinition, parse_definition
from mnist_dash.search.definition.study_files import READY_FOLDER, definition_tree, read_study
from mnist_dash.search.studies import records, study_store
from mnist_dash.search.studies.costs import costs
from mnist_dash.search.studies.formatting import hyperparameters, objective
from mnist_dash.search.studies.records import StudyState, TrialState, best_trial

Source = str | Path | Mapping[str, Any] | StudyDefinition
"""A study file, the tree that one holds, or a definition."""


class Study:
    """A study; what is asked of it is read from the store each time."""

    def __init__(self, store: Store, id_or_name: str) -> None:
        self._store = store
        self.id = study_store.find(store, id_or_name).id

    @property
    def record(self) -> records.Study:
        """Everything that the store knows of it."""
        return study_store.find(self._store, self.id)

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    @property
    def state(self) -> StudyState:
        """``running``, ``finished`` and so on; compares equal to these words."""
        return self.record.state

    @property
    def trials(self) -> pd.DataFrame:
        """Its trials by number: state, hyperparameters, objectives, deviation over seeds, test accuracy, seconds and runs."""
        study, spent = self.record, costs(self._store, self.id)
        objectives = study.definition.objectives
        rows: list[dict[str, Any]] = []
        for trial in study_store.trials(self._store, self.id):
            cost = spent.get(trial.number)
            row: dict[str, Any] = {"number": trial.number, "state": trial.state.value}
            row |= dict(zip(objectives, trial.figures or (), strict=False))
            row |= {path: trial.parameters.get(path) for path in study.definition.space.paths}
            row |= {
                "deviation": trial.deviation,
                "test_accuracy": cost.test_accuracy if cost else None,
            }
            rows.append(
                row
                | {
                    "seconds": cost.seconds if cost else None,
                    "runs": list(cost.run_ids) if cost else [],
                    "reason": trial.reason,
                }
            )
        head = [
            "number",
            "state",
            *objectives,
            *study.definition.space.paths,
            "deviation",
            "test_accuracy",
            "seconds",
            "runs",
            "reason",
        ]
        return pd.DataFrame(rows, columns=list(dict.fromkeys(head))).set_index("number")

    @property
    def best(self) -> pd.Series[Any] | None:
        """The row of the complete trial with the best first objective; None where none is complete."""
        trial = self._best()
        return None if trial is None else self.trials.loc[trial.number]

    @property
    def best_run(self) -> Run | None:
        """The first run of the best trial; None where no trial is complete."""
        trial = self._best()
        return (
            None
            if trial is None
            else Run(
                self._store,
                study_store.runs_of(self._store, self.id, [trial.number])[trial.number][0],
            )
        )

    def wait(self, *, progress: bool = True) -> Study:
        """Wait for its end; Ctrl+C, or interrupting the cell, ends the waiting and leaves it running.

        Args:
            progress: whether to show a bar.

        Raises:
            NoWorker: no worker can be started.
        """
        if not self.state.has_ended:
            wait(FollowedStudy(self._store, self.id), progress=progress)
        return self

    def stop(self) -> None:
        """Stop it and its running trials.

        Raises:
            IllegalTransition: it has ended already.
        """
        steering.stop(self._store, self.id, cancel=True)

    def __repr__(self) -> str:
        return lines(*self._summary(), note=self.record.reason)

    def _repr_html_(self) -> str:
        return card(*self._summary(), note=self.record.reason)

    def _best(self) -> records.Trial | None:
        complete = study_store.trials(self._store, self.id, states=[TrialState.COMPLETE])
        return best_trial(complete, self.record.definition)

    def _summary(self) -> tuple[str, list[tuple[str, str]]]:
        study, best = self.record, self._best()
        counts = (
            ", ".join(
                f"{count:,} {state}"
                for state, count in study_store.counts(self._store, self.id).items()
            )
            or NOTHING
        )
        first = study.definition.objectives[0]
        value = (
            NOTHING if best is None or best.figures is None else objective(first, best.figures[0])
        )
        rows = [
            ("state", f"{study.state}, {duration(study.seconds_used)} of running"),
            ("trials", counts),
            (f"best {study.definition.goals[0].title}", value),
            (
                "hyperparameters",
                NOTHING
                if best is None
                else f"trial {best.number}: {hyperparameters(best.parameters)}",
            ),
            ("created", f"{datetime.fromtimestamp(study.created_at, tz=UTC):%Y-%m-%d %H:%M} UTC"),
        ]
        return f"Study {study.id}, {study.name}", rows


def definition_of(source: Source, changes: Mapping[str, Any]) -> StudyDefinition:
    """Read what a notebook names: a file (also one of those that come with the package, by its name), a tree or a definition.

    Args:
        source: of the study.
        changes: words of a study file that stand for those in it, such as ``budget`` or ``seed``.

    Raises:
        InvalidInput: a file cannot be read.
        InvalidStudy: a rule is broken.
    """
    if isinstance(source, Mapping):
        return parse_definition(definition_tree({**source, **changes}))
    definition = source if isinstance(source, StudyDefinition) else read_study(_located(source))
    if not changes:
        return definition
    tree = definition.model_dump(mode="json")
    budget = changes.get("budget", {})
    merged = dict(budget) if isinstance(budget, Mapping) else {"trials": budget}
    return parse_definition({**tree, **changes, "budget": tree["budget"] | merged})


def is_file(text: str) -> bool:
    """Say whether a text names a study file rather than a study."""
    return Path(text).suffix in (".yaml", ".yml") or Path(text).is_file()


def _located(source: str | Path) -> Path:
    path = Path(source)
    ready = READY_FOLDER / path.name
    return (
        ready
        if not path.exists() and path.parent in (Path(), Path("studies")) and ready.exists()
        else path
    )
