"""Lists of many runs: pages, orders, groups and values, against the rows themselves."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator

import pytest

from mnist_dash.runs.actions import run_actions, run_annotations
from mnist_dash.runs.query import catalog
from mnist_dash.runs.query.catalog import Order, Scope
from mnist_dash.runs.query.fields import Field, columns, find
from mnist_dash.runs.query.language import parse
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.databases import settings_with_database
from tests.new_store import new_store
from tests.runs.many import TAGS, fill

N_RUNS = 120


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store of many runs, which no test changes."""
    store = new_store(
        settings_with_database({"MNIST_DASH_HOME": str(tmp_path_factory.mktemp("runs"))})
    )
    fill(store, N_RUNS, n_epochs=1)
    yield store
    store.close()


def field(name: str) -> Field:
    """Find a field that there is."""
    found = find(name)
    assert found is not None
    return found


def everything(store: Store, query: str = "", **scope: object) -> list[Run]:
    """List all runs of a scope, archived ones left out."""
    return [each.run for each in catalog.page(store, Scope(parse(query), **scope), limit=1000)]  # type: ignore[arg-type]


def test_pages_join_to_the_whole(filled: Store) -> None:
    """Page after page gives every run once, newest first, as many as were counted."""
    pages = [
        catalog.page(filled, Scope(), limit=25, offset=offset) for offset in range(0, N_RUNS, 25)
    ]
    listed = [each.run for each in itertools.chain(*pages)]
    assert listed == [run for run in filled.runs(limit=1000) if run.archived_at is None]
    assert len(listed) == catalog.count(filled, Scope()) < N_RUNS


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize(
    "name",
    [
        "test_accuracy",
        "learning_rate",
        "optimizer",
        "name",
        "tag",
        "momentum",
        "created",
        "starred",
    ],
)
def test_any_column_sorts(filled: Store, name: str, *, descending: bool) -> None:
    """Runs come in the order of the field, those without a value last, and none is lost."""
    listed = catalog.page(filled, Scope(), order=Order(field(name), descending), limit=1000)
    found = catalog.values(filled, [each.run.id for each in listed], [field(name)])
    keys = [found[each.run.id][0] for each in listed]
    if name == "tag":
        keys = [min(tags) if tags else None for tags in keys]
    known = [key for key in keys if key is not None]
    assert keys == [*sorted(known, reverse=descending), *[None] * (len(keys) - len(known))]
    assert len(listed) == catalog.count(filled, Scope())


def test_values_are_those_of_the_runs(filled: Store) -> None:
    """A column read by the database equals what the parsed configuration and the record say."""
    runs = everything(filled)
    names = (
        "run",
        "batch_size",
        "learning_rate",
        "split",
        "early_stopping.restore_best",
        "leak",
        "n_layers",
        "test_accuracy",
        "momentum",
    )
    found = catalog.values(filled, [run.id for run in runs], [field(name) for name in names])
    for run in runs:
        config = run.config
        stops = None if config.early_stopping is None else config.early_stopping.restore_best
        settings = (
            config.batch_size,
            config.optimizer.learning_rate,
            config.split.kind,
            stops,
            config.leaks_test_set,
            len(config.layers),
        )
        assert found[run.id] == (
            run.id,
            *settings,
            run.test_accuracy,
            getattr(config.optimizer, "momentum", None),
        )


def test_every_column_can_be_read(filled: Store) -> None:
    """All fields at once, of one run and sorted by."""
    (run,) = catalog.page(filled, Scope(), limit=1)
    assert len(catalog.values(filled, [run.run.id], columns())[run.run.id]) == len(columns())
    for each in columns():
        assert catalog.page(filled, Scope(), order=Order(each), limit=1), each.name
        assert catalog.distinct(filled, each, Scope()) or each.name in ("owner", "parent"), (
            each.name
        )


def test_groups_are_counted_and_averaged(filled: Store) -> None:
    """Number, mean and deviation of each group equal those of its runs; the best group comes first."""
    found = catalog.groups(
        filled,
        Scope(),
        [field("optimizer"), field("batch_size")],
        [field("best_val_accuracy"), field("test_accuracy")],
    )
    assert sum(group.n for group in found) == catalog.count(filled, Scope())
    runs = everything(filled)
    for group in found:
        members = [
            run for run in runs if (run.config.optimizer.kind, run.config.batch_size) == group.key
        ]
        assert group.n == len(members)
        for spread, name in zip(group.spreads, ("best_val_accuracy", "test_accuracy"), strict=True):
            known = [getattr(run, name) for run in members if getattr(run, name) is not None]
            assert spread.n == len(known)
            assert spread.mean == (pytest.approx(statistics.mean(known)) if known else None)
            assert spread.deviation == (
                pytest.approx(statistics.stdev(known)) if len(known) > 1 else None
            )
    means = [group.spreads[0].mean for group in found if group.spreads[0].mean is not None]
    assert means == sorted(means, reverse=True)


def test_a_run_with_two_tags_is_in_both_groups(filled: Store) -> None:
    """Groups by tag are those of the query `tag == ...`; untagged runs are a group of their own."""
    found = {group.key[0]: group.n for group in catalog.groups(filled, Scope(), [field("tag")], [])}
    assert found == {tag: len(everything(filled, f'tag == "{tag}"')) for tag in TAGS} | {
        None: len(everything(filled, "tag == none"))
    }


def test_values_are_counted(filled: Store) -> None:
    """What a filter offers: each value with the number of runs that it would leave."""
    for name in ("state", "optimizer", "preset", "tag", "study"):
        offered = catalog.distinct(filled, field(name), Scope())
        assert offered, name
        for value, n in offered:
            assert n == len(
                everything(
                    filled, f"{name} == {'none' if value is None else chr(34) + value + chr(34)}"
                )
            ), (name, value)


def test_archive_and_bin_are_lists_of_their_own(store: Store) -> None:
    """An archived run leaves the list, is found in the archive and by a query that asks for it; a deleted one is in the bin alone."""
    fill(store, 30, n_epochs=1)
    ended = [run.id for run in everything(store, "state == 'finished'")][:2]
    run_actions.delete(store, ended[:1])
    run_annotations.archive(store, ended[1:])
    listed = {run.id for run in everything(store)}
    assert not listed & set(ended)
    assert ended[1] in {run.id for run in everything(store, archived=True)}
    assert ended[1] in {run.id for run in everything(store, "archived")}
    assert [run.id for run in everything(store, deleted=True)] == ended[:1]
    assert {run.state for run in everything(store, states=(RunState.QUEUED, RunState.RUNNING))} <= {
        RunState.QUEUED,
        RunState.RUNNING,
    }
    run_annotations.unarchive(store, ended[1:])
    assert {run.id for run in everything(store)} == listed | {ended[1]}
