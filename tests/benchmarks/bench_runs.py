"""How long the Runs page takes with thousands of runs: its queries one by one, and the whole page on the server, cold and warm.

python -m tests.benchmarks.bench_runs [--runs N] [--home FOLDER]

Cold is the first look of a process whose modules are loaded, warm the median of later ones; the best tells more on a busy machine. A folder
that is named is kept and used again.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from mnist_dash.runs.query import catalog
from mnist_dash.runs.query.catalog import Order, Scope
from mnist_dash.runs.query.fields import Field, find
from mnist_dash.runs.query.language import parse
from mnist_dash.runs.query.lookup import lookup_runs
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
from mnist_dash.ui.server.options import SCRIPT
from tests.runs.many import fill

LOOKS = 9
QUERIES = (
    'optimizer == "adam" and test_accuracy > 0.98',
    'optimizer == "adam" and test_accuracy > 98% and not (tag == "demo" or batch_size in (32, 64))',
    'study == "width by depth" and learning_rate < 0.01 and leak and name ~ "attempt"',
)


def _field(name: str) -> Field:
    found = find(name)
    assert found is not None
    return found


def _timed(what: str, work: Callable[[], object]) -> None:
    seconds = []
    for _ in range(LOOKS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    first, later, least = 1e3 * seconds[0], 1e3 * statistics.median(seconds[1:]), 1e3 * min(seconds)
    print(f"{what:110} first {first:6.0f} ms, then {later:6.0f} ms, at best {least:6.0f} ms")


def measure_queries(store: Store) -> None:
    """Print the times of what the page asks the store for."""
    _timed(
        "count and first page, newest first",
        lambda: (catalog.count(store, Scope()), catalog.page(store, Scope())),
    )
    _timed(
        "last page",
        lambda: catalog.page(store, Scope(), offset=max(0, catalog.count(store, Scope()) - 50)),
    )
    for text in QUERIES:
        scope = Scope(parse(text))
        _timed(
            f"count and page: {text}",
            lambda scope=scope: (catalog.count(store, scope), catalog.page(store, scope)),  # type: ignore[misc]
        )
    for name in ("test_accuracy", "learning_rate", "tag"):
        _timed(
            f"page sorted by {name}",
            lambda name=name: catalog.page(store, Scope(), order=Order(_field(name))),  # type: ignore[misc]
        )
    by, figures = (
        [_field("optimizer"), _field("batch_size")],
        [_field("best_val_accuracy"), _field("test_accuracy"), _field("seconds")],
    )
    for text in ("adam dense 512", "nothing has this", "33"):
        _timed(f"palette's search: {text}", lambda text=text: lookup_runs(store, text))  # type: ignore[misc]
    _timed(
        "groups by optimizer and batch size, three figures",
        lambda: catalog.groups(store, Scope(), by, figures),
    )


def measure_page() -> None:
    """Print the times of the whole page on the server."""
    app = AppTest.from_file(str(SCRIPT), default_timeout=60)
    app.run()
    app.switch_page("../pages/runs/runs.py")
    _timed("page", app.run)
    queries = iter([QUERIES[0].replace("0.98", f"0.98{digit}") for digit in range(LOOKS)])
    _timed(
        "page with another query each time",
        lambda: app.text_input(key="q").set_value(next(queries)).run(),
    )
    assert not app.exception
    assert not app.error


def main() -> None:
    """Fill a store where it is empty, and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--home", help="a folder to keep the store in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = arguments.home or folder
        os.environ |= {"MNIST_DASH_HOME": home, "MNIST_DASH_WORKERS": "0", "OMP_NUM_THREADS": "1"}
        store = Store.open(Settings.from_environment())
        if store.count() == 0:
            fill(store, arguments.runs)
        print(f"{store.count():,} runs of 20 epochs")
        measure_queries(store)
        store.close()
        measure_page()


if __name__ == "__main__":
    main()
