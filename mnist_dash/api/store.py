"""A store in a notebook: what `mnist_dash` does on that of the environment, on any other."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from mnist_dash.api.comparison import Comparison, compare_groups, compare_runs
from mnist_dash.api.configuration import Base, configuration
from mnist_dash.api.run import Run
from mnist_dash.api.study import Source, Study, definition_of, is_file
from mnist_dash.core.config.cautions import cautions
from mnist_dash.core.config.run_config import DatasetName
from mnist_dash.core.data.idx import read_images, read_labels
from mnist_dash.errors import InvalidInput
from mnist_dash.following.study import n_runs_at_a_time
from mnist_dash.following.worker_start import WorkerStarter
from mnist_dash.runs.actions import run_actions, run_annotations
from mnist_dash.runs.query import catalog, fields
from mnist_dash.runs.query.language import parse
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.transfer.tables import runs_table
from mnist_dash.search.actions.starting import start
from mnist_dash.search.studies import study_store
from mnist_dash.settings import Settings
from mnist_dash.text import listed

FIRST_COLUMNS = (
    "title",
    "state",
    "test_accuracy",
    "best_val_accuracy",
    "test_loss",
    "epoch",
    "n_parameters",
    "seconds_training",
)

Runs = Run | str | Sequence[Run | str]
"""A run or its id, or a list of them."""


class OpenStore:
    """An open store; close it, or use it in a ``with``, where many are opened."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def train(
        self,
        /,
        config: Base = None,
        *,
        name: str = "",
        tags: Iterable[str] = (),
        wait: bool = True,
        progress: bool = True,
        **settings: Any,  # noqa: ANN401 - as `--set` takes them
    ) -> Run:
        """Train a network, as the Train page and `mnist-dash train` do: the same queue, the same workers.

        Ctrl+C, or interrupting the cell, ends the waiting and leaves the run training.

        Args:
            config: the name of a preset, a `RunConfig`, or a dict of its fields; the first preset by default.
            name: of the run.
            tags: of the run.
            wait: whether to wait for its end; a worker is started in either case where none is alive.
            progress: whether to show a bar while waiting.
            **settings: fields by their paths, two underscores for a dot: ``optimizer__learning_rate=0.01``.

        Raises:
            InvalidInput: nothing was queued; the message says what is wrong, what is allowed and what to do.
            MnistDashError: as `mnist_dash.runs.actions.run_actions.submit`.
        """
        wanted, preset = configuration(config, settings)
        kept = [run_annotations.check_tag(tag) for tag in tags]
        for caution in cautions(wanted):
            warnings.warn(caution, stacklevel=2)
        run = Run(self._store, run_actions.submit(self._store, wanted, preset=preset))
        if name:
            run.rename(name)
        if kept:
            run.tag(*kept)
        if wait:
            return run.wait(progress=progress)
        WorkerStarter(self._store).ensure()
        return run

    def run(self, run_id: str) -> Run:
        """Give one run by its id.

        Raises:
            UnknownRun: no run has this id.
        """
        return Run(self._store, run_id.strip())

    def runs(self, query: str = "", *, sort: str = "", limit: int = 1000) -> pd.DataFrame:
        """List runs by their ids, the newest first: metrics, names, tags, and every setting as ``config.PATH``.

        Args:
            query: which, such as ``optimizer == 'adam' and test_accuracy > 98%``; docs/runs.md has the language. All by default.
            sort: a field, the largest first; with a dash before it the smallest.
            limit: how many at most.

        Raises:
            InvalidQuery: the query cannot be read; the message points at the place.
            InvalidInput: there is no such field to sort by.
        """
        found = catalog.page(
            self._store, catalog.Scope(parse(query)), order=_order(sort), limit=limit
        )
        if not found:
            return pd.DataFrame(columns=list(FIRST_COLUMNS), index=pd.Index([], name="run"))
        table = runs_table(self._store, [each.run.id for each in found]).set_index("run")
        table.insert(0, "title", [each.run.title for each in found])
        return table[
            [*FIRST_COLUMNS, *(name for name in table.columns if name not in FIRST_COLUMNS)]
        ]

    def study(
        self,
        /,
        study: Source,
        *,
        wait: bool = True,
        progress: bool = True,
        **changes: Any,  # noqa: ANN401 - words of a study file
    ) -> Study:
        """Run a study, or go on with the one of its name.

        Args:
            study: a study file, its content as a dict, or a `StudyDefinition`. A text without ``.yaml`` is the id or name of a study
                that exists, which is given as it is.
            wait: whether to wait for its end.
            progress: whether to show a bar while waiting.
            **changes: words of a study file that stand for those in it: ``budget=20``, ``seed=1``, ``name="mine"``.

        Raises:
            InvalidStudy: a rule is broken; the message names every problem.
            InvalidInput: the file cannot be read.
            UnknownStudy: none has this id or name.
        """
        if isinstance(study, str) and not is_file(study):
            found = Study(self._store, study)
        else:
            study_id, _ = start(
                self._store, definition_of(study, changes), has_limit="budget" in changes
            )
            found = Study(self._store, study_id)
        if wait:
            return found.wait(progress=progress)
        if found.state.is_live:
            WorkerStarter(self._store, n_workers=n_runs_at_a_time(found.record.definition)).ensure()
        return found

    def studies(self) -> pd.DataFrame:
        """List studies by their ids, the newest first."""
        rows = [
            {
                "study": one.id,
                "name": one.name,
                "state": one.state.value,
                "seconds": one.seconds_used,
                "question": one.definition.question,
            }
            for one in study_store.all_studies(self._store)
        ]
        return pd.DataFrame(
            rows, columns=["study", "name", "state", "seconds", "question"]
        ).set_index("study")

    def compare(self, a: Runs, b: Runs, *, metric: str = "test_accuracy") -> Comparison:
        """Say whether B differs from A, by the tests of the Compare page.

        Two runs are compared on the test images (McNemar's exact test): that holds for these two trained networks. Two lists of runs
        with different seeds are compared by a metric (Welch's t-test): that holds for their settings.

        Args:
            a: a run or its id, or a list of them.
            b: the same.
            metric: of groups: ``test_accuracy``, ``test_loss``, ``best_val_accuracy``, ``last_val_accuracy`` or ``last_val_loss``.

        Raises:
            UnknownRun: no run has one of the ids.
            InvalidInput: they cannot be compared.
        """
        if isinstance(a, Run | str) and isinstance(b, Run | str):
            if metric != "test_accuracy":
                raise InvalidInput(
                    f"metric: two runs are compared on their test images, not by {metric!r} (test_accuracy). Pass lists of runs for others."
                )
            return compare_runs(self._store, _id(a), _id(b))
        return compare_groups(self._store, _ids(a), _ids(b), metric)

    def load_data(
        self, part: Literal["train", "test"] = "test", *, dataset: DatasetName = "mnist"
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Read images ``(n, 28, 28)``, 0 is background, and labels ``(n,)`` of a data set.

        Args:
            part: ``train`` or ``test``.
            dataset: its name; MNIST comes with the package.

        Raises:
            DataError: it is missing or damaged.
        """
        return read_images(dataset, part, self._store.settings.data_dir), read_labels(
            dataset, part, self._store.settings.data_dir
        )

    def close(self) -> None:
        """Let go of all connections; runs and studies go on."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"MNIST Dash's store in {self._store.settings.home}"


def open_store(where: str | Path) -> OpenStore:
    """Open a store beside that of the environment.

    Args:
        where: a folder, as MNIST_DASH_HOME names one, or a database's URL, as MNIST_DASH_DATABASE_URL does.

    Raises:
        StoreError: it cannot be opened.
    """
    if "://" in str(where):
        return OpenStore(Store.open(replace(Settings.from_environment(), database_url=str(where))))
    own = {"MNIST_DASH_DATABASE_URL", "MNIST_DASH_ARTIFACT_DIR"}
    environment = {name: value for name, value in os.environ.items() if name not in own}
    return OpenStore(
        Store.open(Settings.from_environment(environment | {"MNIST_DASH_HOME": str(where)}))
    )


def default_store() -> OpenStore:
    """Give the store of this environment, opened once a process."""
    return _opened(Settings.from_environment())


@cache
def _opened(settings: Settings) -> OpenStore:
    return OpenStore(Store.open(settings))


def _order(sort: str) -> catalog.Order:
    if not sort:
        return catalog.Order()
    name = sort.removeprefix("-")
    found = fields.find(name)
    if found is None:
        near = fields.similar(name)
        raise InvalidInput(
            f"sort: no such field {name!r}. {f'Did you mean {listed(near)}?' if near else 'docs/runs.md lists them all.'}"
        )
    return catalog.Order(found, descending=not sort.startswith("-"))


def _ids(runs: Runs) -> list[str]:
    return [_id(runs)] if isinstance(runs, Run | str) else [_id(run) for run in runs]


def _id(run: Run | str) -> str:
    return run.id if isinstance(run, Run) else run.strip()
