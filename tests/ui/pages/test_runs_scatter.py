"""Parameters against accuracy on the Runs page: few runs, none, and a thousand."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Dense, Flatten
from mnist_dash.figures.run.parameters import RunPoint
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.query.overview import finished_runs
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.ui.pages.runs.scatter import findings
from tests.ui.conftest import CONFIG, texts


def test_finished_runs_are_points(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """Runs that were evaluated and are not in the bin; the address says that they are drawn."""
    kept, binned = train(), train()
    train(state=RunState.FAILED, epochs=1)
    run_actions.delete(store, [binned.id])
    assert [run.run_id for run in finished_runs(store)] == [kept.id]
    app = open_page("runs", **{"as": "parameters"})
    assert (
        f"Highest test accuracy: 98.00 %, dense 512 – dense 256 with 535,818 parameters (`{kept.id}`)"
        in texts(app)
    )
    assert not app.dataframe


def test_no_finished_run_is_a_sentence(open_page: Callable[..., AppTest], store: Store) -> None:
    """Nothing to draw yet."""
    run_actions.submit(store, CONFIG)
    assert "No finished runs yet" in texts(open_page("runs", **{"as": "parameters"}))


def test_a_thousand_runs_are_drawn(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """Every network of a thousand runs has its point."""
    first = train()
    with store.writing() as connection:
        row = dict(
            connection.execute(sa.select(schema.runs).where(schema.runs.c.id == first.id))
            .mappings()
            .one()
        )
        for units in range(1, 1001):
            config = RunConfig(
                layers=(Flatten(), Dense(units=units), Dense(units=10, activation="softmax"))
            )
            row |= {
                "id": secrets.token_hex(4),
                "submit_key": None,
                "config": config.model_dump_json(),
                "n_parameters": config.n_parameters,
            }
            connection.execute(
                schema.runs.insert().values(row | {"test_accuracy": 0.9 + units / 11_000})
            )
    app = open_page("runs", **{"as": "parameters"})
    assert "over 1,001 networks" in texts(app)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [((5, 4, 3, 2, 1), "tend to have fewer"), ((1, 2, 3, 4, 5), "tend to have more")],
)
def test_findings_follow_the_points(sizes: tuple[int, ...], words: str) -> None:
    """Depth against parameters in words, and larger runs that do worse."""
    points = [
        RunPoint(f"{depth}", f"net {depth}", "dense", depth, 1000 * size, 0.9)
        for depth, size in enumerate(sizes, 1)
    ]
    assert words in findings(points)
    assert "more parameters and a lower accuracy" not in findings(points[:1])
    best = RunPoint("best", "conv 9", "convolutional", 3, 10, 0.99)
    assert "(`best`)" in findings([*points, best])
    assert "5 runs had more parameters and a lower accuracy" in findings([*points, best])
