"""Several runs beside each other: their histories, what differs in their settings, their groups, and their answers on the same images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from mnist_dash.core.analysis.evaluation import Labels
from mnist_dash.core.analysis.verdicts import Measure
from mnist_dash.core.config import nested
from mnist_dash.core.config.run_config import DATASET_SIZES, RunConfig
from mnist_dash.core.data.idx import read_labels
from mnist_dash.errors import DataError, InvalidInput
from mnist_dash.runs.access.permission import require
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store, run_from_row
from mnist_dash.runs.store.states import RunState
from mnist_dash.text import plural

MOST_RUNS = 200
"""Runs in one comparison; lines beyond this are a carpet."""
MOST_SEEDS_AT_ONCE = 20
"""Seeds that one press of a button queues at most."""
SEED = "seed"
NETWORK = "network"
"""Stands for all layers where networks differ in more than the fields of their layers."""
ORIGIN = "forked from"


@dataclass(frozen=True)
class Compared:
    """Runs to be compared, in the order in which they were asked for.

    Attributes:
        runs: those that are there.
        unknown: ids that no run has.
        deleted: ids of runs in the bin.
        epochs: the rows of all histories, a column ``run_id`` with them, by run and epoch.
        settings: dotted path in the configuration -> value of each run, only those that differ; None where a setting does not apply.
        evaluated: ids of the runs that have left probabilities of the test images.
    """

    runs: tuple[Run, ...]
    unknown: tuple[str, ...]
    deleted: tuple[str, ...]
    epochs: pd.DataFrame
    settings: Mapping[str, tuple[object, ...]]
    evaluated: frozenset[str]
    _places: dict[str, int] = field(repr=False, compare=False, default_factory=dict)
    _histories: dict[str, pd.DataFrame] = field(repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._places.update({run.id: place for place, run in enumerate(self.runs)})
        self._histories.update(
            {str(run_id): rows for run_id, rows in self.epochs.groupby("run_id")}
        )

    def run(self, run_id: str) -> Run:
        """Give one of the runs."""
        return self.runs[self._places[run_id]]

    def history(self, run_id: str) -> pd.DataFrame:
        """Give the rows of one run's history, maybe none."""
        return self._histories.get(run_id, self.epochs.iloc[:0])

    def value(self, run_id: str, path: str) -> object:
        """Give what a differing setting is in one run."""
        return self.settings[path][self._places[run_id]]


@dataclass(frozen=True)
class Group:
    """Runs that have something in common.

    Attributes:
        values: the settings that make the group, dotted path -> value; empty where nothing but the seed differs among all runs.
        run_ids: in the order of the comparison.
    """

    values: Mapping[str, object]
    run_ids: tuple[str, ...]


@dataclass(frozen=True)
class SeedFigures:
    """One figure of a group, once a seed.

    Attributes:
        by_seed: of finished runs, in the order of the group.
        run_ids: the runs that they are of.
        n_repeated: finished runs left out because another has the same configuration and seed: the same run again, no new evidence.
        n_live: runs that have not ended yet.
        n_lost: runs that ended without finishing.
    """

    by_seed: tuple[float, ...]
    run_ids: tuple[str, ...]
    n_repeated: int
    n_live: int
    n_lost: int


@dataclass(frozen=True)
class Ranking:
    """Where the compared runs stand by test accuracy among all runs of the store that were evaluated on the same test images."""

    dataset: str
    n_ranked: int
    """Deleted and archived ones included: they were looked at all the same."""
    n_shown: int
    best_rank: int
    """Of the best one shown, from 1."""
    best_accuracy: float
    n_test: int


@dataclass(frozen=True)
class Answers:
    """What one run calls the test images.

    Attributes:
        run_id: the run.
        dataset: whose test images.
        labels: ``(N,)`` true classes.
        predicted: ``(N,)``.
    """

    run_id: str
    dataset: str
    labels: Labels
    predicted: Labels

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Which images it gets right, ``(N,)``."""
        right: npt.NDArray[np.bool_] = self.labels == self.predicted
        return right


def load(store: Store, run_ids: Sequence[str]) -> Compared:
    """Read runs with their histories by epoch, in three queries whatever their number.

    Raises:
        InvalidInput: more than `MOST_RUNS` are asked for.
    """
    wanted = tuple(dict.fromkeys(run_ids))
    if len(wanted) > MOST_RUNS:
        raise InvalidInput(
            f"{len(wanted)} runs are too many to compare (at most {MOST_RUNS}). Leave some out."
        )
    store.check_readable(wanted)
    runs, epochs, files = schema.runs, schema.epochs, schema.artifacts
    with store.reading() as connection:
        rows = {
            row["id"]: row
            for row in connection.execute(sa.select(runs).where(runs.c.id.in_(wanted))).mappings()
        }
        shown = tuple(
            run_id for run_id in wanted if run_id in rows and rows[run_id]["deleted_at"] is None
        )
        history = connection.execute(
            sa.select(epochs)
            .where(epochs.c.run_id.in_(shown))
            .order_by(epochs.c.run_id, epochs.c.epoch)
        ).all()
        kind = ArtifactKind.TEST_PROBABILITIES
        evaluated = (
            connection.execute(
                sa.select(files.c.run_id).where(files.c.run_id.in_(shown), files.c.kind == kind)
            )
            .scalars()
            .all()
        )
    found = tuple(run_from_row(rows[run_id]) for run_id in shown)
    return Compared(
        runs=found,
        unknown=tuple(run_id for run_id in wanted if run_id not in rows),
        deleted=tuple(run_id for run_id in wanted if run_id in rows and run_id not in shown),
        epochs=pd.DataFrame(history, columns=[column.name for column in epochs.c]),
        settings=differing_settings(found),
        evaluated=frozenset(evaluated),
    )


def candidates(store: Store, *, best_first: bool = False, limit: int = 200) -> tuple[Run, ...]:
    """List runs that may be compared: the newest, or those with the best validation accuracy, first.

    Not by test accuracy: whoever picks by that has used the test set up.
    """
    runs = schema.runs
    query = sa.select(runs).where(runs.c.deleted_at.is_(None), store.readable())
    order = (sa.func.coalesce(runs.c.best_val_accuracy, -1).desc(),) if best_first else ()
    with store.reading() as connection:
        rows = (
            connection.execute(
                query.order_by(*order, runs.c.created_at.desc(), runs.c.id).limit(limit)
            )
            .mappings()
            .all()
        )
    return tuple(map(run_from_row, rows))


def revisions(store: Store, run_ids: Sequence[str]) -> tuple[tuple[str, int, bool], ...]:
    """Read what changes whenever one of the runs does: ids, revisions, and whether each is deleted."""
    runs = schema.runs
    query = (
        sa.select(runs.c.id, runs.c.revision, runs.c.deleted_at)
        .where(runs.c.id.in_(tuple(run_ids)))
        .order_by(runs.c.id)
    )
    with store.reading() as connection:
        return tuple(
            (row.id, row.revision, row.deleted_at is not None) for row in connection.execute(query)
        )


def differing_settings(runs: Sequence[Run]) -> dict[str, tuple[object, ...]]:
    """Name the settings that are not the same in all runs, with the value in each.

    Networks of the same kinds of layers are told apart by the fields of these; others are one setting, `NETWORK`, in words. Where a run
    was forked from another, its origin is a setting too: the same configuration trained from elsewhere is another experiment.
    """
    kinds = {tuple(layer.kind for layer in run.config.layers) for run in runs}
    flat = [_flat(run.config, whole_network=len(kinds) > 1) | _origin(run) for run in runs]
    paths = dict.fromkeys(path for settings in flat for path in settings)
    columns = {path: tuple(settings.get(path) for settings in flat) for path in paths}
    return {path: values for path, values in columns.items() if len(set(map(repr, values))) > 1}


def group_runs(compared: Compared, by: str | None = None) -> tuple[Group, ...]:
    """Put runs with the same value of a setting together, in the order in which the values come.

    Args:
        compared: the runs.
        by: a path of ``compared.settings``; None for every setting but the seed. A path that does not differ makes one group of all.
    """
    paths = (
        [path for path in compared.settings if path != SEED]
        if by is None
        else [by]
        if by in compared.settings
        else []
    )
    groups: dict[str, tuple[dict[str, object], list[str]]] = {}
    for place, run in enumerate(compared.runs):
        values = {path: compared.settings[path][place] for path in paths}
        groups.setdefault(repr(values), (values, []))[1].append(run.id)
    return tuple(Group(values, tuple(ids)) for values, ids in groups.values())


def seed_figures(compared: Compared, group: Group, measure: Measure) -> SeedFigures:
    """Take a figure of every finished run of a group, one a configuration and seed: the newest."""
    runs = [compared.run(run_id) for run_id in group.run_ids]
    finished = [
        run
        for run in runs
        if run.state is RunState.FINISHED and getattr(run, measure.name) is not None
    ]
    newest: dict[tuple[str, str | None, int | None], Run] = {}
    for run in sorted(finished, key=lambda run: run.created_at):
        newest[run.config_hash, run.parent_id, run.parent_epoch] = run
    kept_ids = {run.id for run in newest.values()}
    kept = [run for run in finished if run.id in kept_ids]
    return SeedFigures(
        tuple(float(getattr(run, measure.name)) for run in kept),
        tuple(run.id for run in kept),
        n_repeated=len(finished) - len(kept),
        n_live=sum(not run.state.is_terminal for run in runs),
        n_lost=sum(run.state.is_terminal and run not in finished for run in runs),
    )


def rankings(store: Store, compared: Compared) -> tuple[Ranking, ...]:
    """Count for each data set how many runs could have been ranked by test accuracy to pick the best of those shown."""
    runs, found = schema.runs, []
    for dataset in dict.fromkeys(run.config.dataset for run in compared.runs):
        shown = [
            run.test_accuracy
            for run in compared.runs
            if run.config.dataset == dataset and run.test_accuracy is not None
        ]
        if not shown:
            continue
        best = max(shown)
        # A configuration is written by `canonical_json`: sorted, without white space.
        ours = runs.c.test_accuracy.is_not(None) & runs.c.config.contains(f'"dataset":"{dataset}"')
        query = sa.select(
            sa.func.count(), sa.func.count(sa.case((runs.c.test_accuracy > best, 1)))
        ).where(ours)
        with store.reading() as connection:
            n_ranked, n_better = connection.execute(query).one()
        found.append(
            Ranking(
                dataset,
                int(n_ranked),
                len(shown),
                int(n_better) + 1,
                best,
                DATASET_SIZES[dataset][1],
            )
        )
    return tuple(found)


def answers(store: Store, run: Run) -> Answers:
    """Read what a run calls the images of its test set.

    Raises:
        ArtifactError: it has left no probabilities, or they are damaged.
        DataError: the labels are missing or damaged, or are not those of these images.
    """
    probabilities = artifacts.read_probabilities(store, run.id, ArtifactKind.TEST_PROBABILITIES)
    labels = read_labels(run.config.dataset, "test", store.settings.data_dir)
    if len(labels) != len(probabilities):
        raise DataError(
            f"The test set of {run.config.dataset} has {len(labels):,} labels now, and run {run.id} has the probabilities of "
            f"{plural(len(probabilities), 'image')}. Restore the data set that it was trained on."
        )
    return Answers(run.id, run.config.dataset, labels, probabilities.argmax(axis=1))


def check_same_images(a: Run, b: Run) -> None:
    """Check that two runs were tested on the same images.

    Raises:
        InvalidInput: their data sets differ.
    """
    if a.config.dataset != b.config.dataset:
        raise InvalidInput(
            f"Run {a.id} was tested on {a.config.dataset} and run {b.id} on {b.config.dataset}, so their images differ. "
            "Choose two of the same data set."
        )


def add_seeds(store: Store, runs: Sequence[Run], n: int) -> tuple[str, ...]:
    """Queue more seeds of one configuration; where the store has a run of such a seed already, live or finished, take that one.

    Args:
        store: where to.
        runs: of one configuration with different seeds, at least one.
        n: how many seeds to add, 1 to `MOST_SEEDS_AT_ONCE`.

    Returns:
        Ids of as many runs, each of a seed that is not among `runs`: the smallest that are free.

    Raises:
        NotAllowed: the person may not submit.
        InvalidInput: `n` is out of range, or the runs differ in more than the seed.
        MnistDashError: as `actions.submit`.
    """
    require(store, "queue more seeds")
    first = runs[0]
    if not 1 <= n <= MOST_SEEDS_AT_ONCE:
        raise InvalidInput(
            f"{n} seeds cannot be added at once (1 to {MOST_SEEDS_AT_ONCE}). Add the others afterwards."
        )
    if len({run.config.model_copy(update={SEED: 0}).hash for run in runs}) > 1 or any(
        run.parent_id for run in runs
    ):
        raise InvalidInput(
            f"These {len(runs)} runs differ in more than their seed, or were forked, so there is no one configuration to add seeds to. "
            "Group them by everything but the seed."
        )
    taken = {run.config.seed for run in runs}
    seeds = [seed for seed in range(len(taken) + n) if seed not in taken][:n]
    return tuple(_with_seed(store, first, seed) for seed in seeds)


def _with_seed(store: Store, like: Run, seed: int) -> str:
    """Find a run of this configuration and seed, or submit one; two presses of a button at once give the same."""
    config = like.config.model_copy(update={SEED: seed})
    runs = schema.runs
    query = sa.select(runs.c.id, runs.c.state, runs.c.deleted_at, runs.c.parent_id).where(
        runs.c.config_hash == config.hash
    )
    with store.reading() as connection:
        rows = connection.execute(query.order_by(runs.c.created_at.desc())).all()
    useful = (RunState.FINISHED, RunState.QUEUED, RunState.RUNNING, RunState.PAUSED)
    for row in rows:
        if RunState(row.state) in useful and row.deleted_at is None and row.parent_id is None:
            return str(row.id)
    return run_actions.submit(
        store, config, key=f"seed-{config.hash}-{len(rows)}", preset=like.preset
    )


def _origin(run: Run) -> dict[str, object]:
    return (
        {} if run.parent_id is None else {ORIGIN: f"{run.parent_id} after epoch {run.parent_epoch}"}
    )


def _flat(config: RunConfig, *, whole_network: bool) -> dict[str, object]:
    tree = config.model_dump(mode="json")
    layers = tree.pop("layers")
    named = {"layers": dict(zip(_layer_names(config), layers, strict=True))}
    flat = {NETWORK: _network(config)} if whole_network else nested.flatten(named, lists=False)
    return {**flat, **nested.flatten(tree, lists=False)}


def _network(config: RunConfig) -> str:
    return " – ".join(layer.summary() for layer in config.layers)


def _layer_names(config: RunConfig) -> list[str]:
    """Name layers by kind and number, as `core.layers.plan` does: ``dense_2``."""
    counts: Counter[str] = Counter()
    names = []
    for layer in config.layers:
        counts[layer.kind] += 1
        names.append(f"{layer.kind}_{counts[layer.kind]}")
    return names
