"""Runs beside each other: what differs, how they group, what counts as a seed, and the seeds that are missing."""

from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from mnist_dash.core.analysis.significance import compare_paired
from mnist_dash.core.analysis.verdicts import TEST_ACCURACY
from mnist_dash.core.config.run_config import Augmentation, RunConfig
from mnist_dash.core.layers import Dense, Dropout, Flatten
from mnist_dash.core.optimizers import SGD
from mnist_dash.errors import InvalidInput, NotAllowed
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.query.comparison import (
    MOST_RUNS,
    NETWORK,
    add_seeds,
    answers,
    candidates,
    check_same_images,
    group_runs,
    load,
    rankings,
    seed_figures,
)
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.identities import Person, Role
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.comparison_rows import add_runs, answer

BASE = RunConfig(
    layers=(Flatten(), Dense(units=16), Dense(units=10, activation="softmax")),
    epochs=3,
    batch_size=1000,
)


def changed(**values: object) -> RunConfig:
    """Change some settings of the usual configuration."""
    return BASE.model_copy(update=values)


def update(store: Store, run_id: str, **values: object) -> None:
    """Write columns of a run."""
    with store.writing() as connection:
        connection.execute(schema.runs.update().where(schema.runs.c.id == run_id).values(values))


def test_only_what_differs_is_named(store: Store) -> None:
    """Dotted paths, layers by name, None where a setting does not apply; what is the same everywhere is left out."""
    wide = (Flatten(), Dense(units=32), Dense(units=10, activation="softmax"))
    configs = [
        BASE,
        changed(layers=wide, seed=4),
        changed(optimizer=SGD(), augmentation=Augmentation(shift=0.1)),
    ]
    found = load(store, add_runs(store, configs, [0.9, 0.91, 0.92])).settings
    assert found["layers.dense_1.units"] == (16, 32, 16)
    assert found["seed"] == (0, 4, 0)
    assert found["optimizer.kind"] == ("adam", "adam", "sgd")
    assert found["optimizer.beta_1"] == (0.9, 0.9, None)
    assert found["augmentation.shift"] == (None, None, 0.1)
    assert not {"batch_size", "epochs", "layers.dense_1.activation", "augmentation"} & set(found)


def test_other_kinds_of_layers_are_one_setting(store: Store) -> None:
    """A layer more makes the network itself what differs."""
    deep = (Flatten(), Dense(units=16), Dropout(rate=0.2), Dense(units=10, activation="softmax"))
    found = load(store, add_runs(store, [BASE, changed(layers=deep)], [0.9, 0.91])).settings
    assert list(found) == [NETWORK]
    assert found[NETWORK][1] == "flatten – dense 16, relu – dropout 0.2 – dense 10, softmax"


def test_histories_come_in_few_queries(store: Store) -> None:
    """Three, whatever the number of runs; unknown and deleted ones are named, the others there in the order asked for."""
    ids = add_runs(store, [changed(seed=seed) for seed in range(12)], [0.9] * 12, n_epochs=5)
    run_actions.delete(store, [ids[3]])
    statements: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    found = load(store, [*reversed(ids), "nosuch", ids[0]])
    assert sum(text.lstrip().startswith("SELECT") for text in statements) == 3
    assert [run.id for run in found.runs] == [
        run_id for run_id in reversed(ids) if run_id != ids[3]
    ]
    assert (found.unknown, found.deleted) == (("nosuch",), (ids[3],))
    assert found.epochs.groupby("run_id").size().to_dict() == {run.id: 5 for run in found.runs}
    with pytest.raises(InvalidInput, match=r"201 runs are too many to compare \(at most 200\)"):
        load(store, [f"{number:08x}" for number in range(MOST_RUNS + 1)])


def test_groups_are_by_a_setting_or_by_all_but_the_seed(store: Store) -> None:
    """In the order in which the values come; a fork is a group of its own."""
    configs = [changed(seed=seed, batch_size=batch) for batch in (1000, 500) for seed in (1, 2, 3)]
    ids = add_runs(store, configs, [0.9] * 6)
    assert [group.run_ids for group in group_runs(load(store, ids))] == [
        tuple(ids[:3]),
        tuple(ids[3:]),
    ]
    assert [group.values for group in group_runs(load(store, ids), "batch_size")] == [
        {"batch_size": 1000},
        {"batch_size": 500},
    ]
    assert [group.run_ids for group in group_runs(load(store, ids), "seed")] == [
        (ids[n], ids[n + 3]) for n in range(3)
    ]
    update(store, ids[1], parent_id=ids[0], parent_epoch=2)
    assert [len(group.run_ids) for group in group_runs(load(store, ids))] == [2, 1, 3]


def test_a_seed_counts_once(store: Store) -> None:
    """The same configuration and seed again is no new evidence; what has not finished is counted apart."""
    ids = add_runs(
        store, [changed(seed=seed) for seed in (0, 1, 1, 2, 3)], [0.90, 0.91, 0.91, 0.92, 0.93]
    )
    update(store, ids[3], state=RunState.DIVERGED)
    update(store, ids[4], state=RunState.QUEUED)
    compared = load(store, ids)
    (group,) = group_runs(compared)
    found = seed_figures(compared, group, TEST_ACCURACY)
    assert (found.by_seed, found.run_ids) == ((0.90, 0.91), (ids[0], ids[2]))
    assert (found.n_repeated, found.n_lost, found.n_live) == (1, 1, 1)


def test_runs_ranked_by_test_accuracy_are_counted(store: Store) -> None:
    """All of the store on the same test images, deleted ones included; other data have a ranking of their own."""
    ids = add_runs(store, [changed(seed=seed) for seed in range(5)], [0.90, 0.95, 0.91, 0.92, 0.93])
    other = add_runs(store, [changed(dataset="kmnist")], [0.99], first=100)
    run_actions.delete(store, [ids[1]])
    (found,) = rankings(store, load(store, [ids[0], ids[4]]))
    assert (found.n_ranked, found.n_shown, found.best_rank, found.best_accuracy, found.n_test) == (
        5,
        2,
        2,
        0.93,
        10_000,
    )
    assert [each.dataset for each in rankings(store, load(store, [*ids, *other]))] == [
        "mnist",
        "kmnist",
    ]


def test_answers_are_those_of_the_stored_probabilities(store: Store) -> None:
    """Which images exactly one of two runs gets right; other data cannot be compared so."""
    a, b, other = add_runs(
        store, [BASE, changed(seed=1), changed(dataset="kmnist")], [0.9, 0.91, 0.9]
    )
    labels = answer(store, a, [1, 2, 3])
    answer(store, b, [3, 4])
    runs = load(store, [a, b, other]).runs
    found = [answers(store, run) for run in runs[:2]]
    assert np.array_equal(found[0].labels, labels)
    assert np.flatnonzero(found[1].right & ~found[0].right).tolist() == [1, 2]
    paired = compare_paired(found[0].right, found[1].right)
    assert (paired.n_only_a, paired.n_only_b, paired.n_both) == (1, 2, 9_996)
    assert load(store, [a, b, other]).evaluated == {a, b}
    with pytest.raises(InvalidInput, match="so their images differ"):
        check_same_images(runs[0], runs[2])


def test_missing_seeds_are_queued_once(store: Store) -> None:
    """The smallest free seeds; a run that is there already is taken; twice the same press gives the same runs."""
    ids = add_runs(store, [changed(seed=seed) for seed in (0, 2, 3)], [0.90, 0.91, 0.92])
    shown = load(store, [ids[0], ids[1]]).runs
    added = add_seeds(store, shown, 3)
    configs = [store.run(run_id).config for run_id in added]
    assert [config.seed for config in configs] == [1, 3, 4]
    assert {config.model_copy(update={"seed": 0}).hash for config in configs} == {BASE.hash}
    assert added[1] == ids[2]
    assert add_seeds(store, shown, 3) == added
    assert store.count(states=[RunState.QUEUED]) == 2
    update(store, added[0], state=RunState.FAILED)
    assert add_seeds(store, shown, 1) != added[:1]


def test_seeds_are_refused_where_they_say_nothing(store: Store) -> None:
    """Runs that differ in more, too many at once, and whoever may only look."""
    ids = add_runs(store, [BASE, changed(seed=1), changed(batch_size=500)], [0.90, 0.91, 0.92])
    runs = load(store, ids).runs
    with pytest.raises(InvalidInput, match="differ in more"):
        add_seeds(store, runs, 1)
    with pytest.raises(InvalidInput, match=r"21 seeds cannot be added at once \(1 to 20\)"):
        add_seeds(store, runs[:2], 21)
    with pytest.raises(NotAllowed):
        add_seeds(store.acting_for(Person(Role.VIEWER)), runs[:2], 1)
    assert store.count(states=[RunState.QUEUED]) == 0


def test_runs_are_offered_by_age_or_validation_accuracy(store: Store) -> None:
    """Never by test accuracy; deleted ones are not offered."""
    ids = add_runs(store, [changed(seed=seed) for seed in range(4)], [0.90, 0.95, 0.91, 0.92])
    run_actions.delete(store, [ids[2]])
    assert [run.id for run in candidates(store)] == [ids[3], ids[1], ids[0]]
    assert [run.id for run in candidates(store, best_first=True, limit=2)] == [ids[1], ids[3]]


def test_rankings_read_the_data_set_as_it_is_written(store: Store) -> None:
    """The text that is searched for is in every stored configuration."""
    add_runs(store, [BASE], [0.9])
    with store.reading() as connection:
        assert (
            '"dataset":"mnist"' in connection.execute(sa.select(schema.runs.c.config)).scalar_one()
        )
