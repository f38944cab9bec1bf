"""What many people who watch cost: sessions on Run and Runs pages while two runs train.

    python -m tests.benchmarks.bench_load [--sessions N] [--seconds N] [--json]

A session speaks Streamlit's own protocol over a WebSocket, as a browser does, without drawing anything: it opens a page, and asks for each
part that moves as often as the server tells it to. A tick is the time from asking for a part to having it whole. Printed are the ticks'
median and 95th percentile, errors, the growth of the server's memory (PSS), and the speed of the two runs beside the sessions as a
share of their speed without any.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Dense, Flatten
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.browser.conftest import free_port, serve
from tests.waiting import wait_until

N_RUNS = 2
CONFIG = RunConfig(
    layers=(Flatten(), Dense(units=64), Dense(units=10, activation="softmax")),
    batch_size=128,
    epochs=5_000,
)
QUIET_SECONDS = 20.0
"""How long the runs' speed without sessions is measured."""
MEBIBYTE = 1 << 20


@dataclass
class Ticks:
    """What all sessions have seen."""

    seconds: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    """Seconds from opening a page to having it whole."""
    errors: list[str] = field(default_factory=list)


class Session:
    """One person's page."""

    def __init__(self, port: int, page: str, query: str, ticks: Ticks) -> None:
        self._url = f"ws://localhost:{port}/_stcore/stream"
        self._page, self._query, self._ticks = page, query, ticks
        self._page_hash = ""
        self._due: dict[str, float] = {}
        """When each part that moves is to be asked for next, by its id."""
        self._intervals: dict[str, float] = {}

    async def stay(self, until: float) -> None:
        """Open the page and watch it until a moment of the monotonic clock."""
        async with websockets.connect(
            self._url, subprotocols=[websockets.Subprotocol("streamlit")], max_size=None
        ) as socket:
            began = time.monotonic()
            await self._ask(socket, None)
            await self._until_finished(socket)
            self._ticks.loads.append(time.monotonic() - began)
            while (now := time.monotonic()) < until:
                part, due = min(self._due.items(), key=lambda item: item[1], default=("", now + 1))
                if due > now:
                    await self._listen(socket, min(due, until) - now)
                    continue
                await self._ask(socket, part)
                await self._until_finished(socket)
                self._ticks.seconds.append(time.monotonic() - now)
                self._due[part] = max(due + self._intervals[part], time.monotonic())

    async def _ask(self, socket: websockets.ClientConnection, part: str | None) -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_script_hash = self._query, self._page_hash
        if part is None:
            state.page_name = self._page
        else:
            state.fragment_id, state.is_auto_rerun = part, True
        await socket.send(message.SerializeToString())

    async def _until_finished(self, socket: websockets.ClientConnection) -> None:
        while self._take(await asyncio.wait_for(socket.recv(), 120)) is not True:
            pass

    async def _listen(self, socket: websockets.ClientConnection, seconds: float) -> None:
        try:
            self._take(await asyncio.wait_for(socket.recv(), max(seconds, 0.001)))
        except TimeoutError:
            return

    def _take(self, data: str | bytes) -> bool:
        """Take a message in; say whether a run of the script has ended with it."""
        message = ForwardMsg()
        message.ParseFromString(data)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._page_hash = message.new_session.page_script_hash
        elif kind == "auto_rerun":
            part = message.auto_rerun.fragment_id
            self._intervals[part] = message.auto_rerun.interval
            self._due.setdefault(part, time.monotonic() + message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            self._due.clear()
        elif kind == "delta" and message.delta.new_element.WhichOneof("type") == "exception":
            self._ticks.errors.append(message.delta.new_element.exception.message)
        return kind == "script_finished"


def trained_epochs(store: Store) -> int:
    """Count the finished epochs of all runs."""
    return sum(run.epoch for run in store.runs())


def proportional_bytes(server: psutil.Process) -> int:
    """Measure the memory of the process that serves, with shared pages divided among those that share them."""
    return int(server.memory_full_info().pss)


async def watch(port: int, run_ids: list[str], n_sessions: int, seconds: float) -> Ticks:
    """Have sessions watch, every second one a Run page, the others Runs."""
    ticks = Ticks()
    until = time.monotonic() + seconds
    pages = [
        ("run", f"run={run_ids[index % len(run_ids)]}") if index % 2 else ("runs", "")
        for index in range(n_sessions)
    ]
    ended = await asyncio.gather(
        *(Session(port, page, query, ticks).stay(until) for page, query in pages),
        return_exceptions=True,
    )
    ticks.errors += [repr(error) for error in ended if error is not None]
    return ticks


def measure(n_sessions: int, seconds: float) -> dict[str, Any]:
    """Start a dashboard and two runs, measure their speed, then again beside the sessions."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder), free_port(), MNIST_DASH_WORKERS=str(N_RUNS)) as served,
    ):
        store, port = served.store, int(served.url.rpartition(":")[2])
        ids = [
            run_actions.submit(store, CONFIG.model_copy(update={"seed": seed}))
            for seed in range(N_RUNS)
        ]
        asyncio.run(watch(port, ids, 1, 5))
        wait_until(
            lambda: (
                len(store.runs(states=[RunState.RUNNING])) == N_RUNS
                and trained_epochs(store) > N_RUNS
            ),
            "both train",
        )
        began, epochs = time.monotonic(), trained_epochs(store)
        time.sleep(QUIET_SECONDS)  # the window that is measured
        alone = (trained_epochs(store) - epochs) / (time.monotonic() - began)
        asyncio.run(watch(port, ids, 4, 10))
        server = psutil.Process(served.pid)
        before = proportional_bytes(server)
        began, epochs = time.monotonic(), trained_epochs(store)
        ticks = asyncio.run(watch(port, ids, n_sessions, seconds))
        beside = (trained_epochs(store) - epochs) / (time.monotonic() - began)
        growth = proportional_bytes(server) - before
        for run_id in ids:
            run_actions.stop(store, run_id)
    return {
        "sessions": n_sessions,
        "seconds": seconds,
        "ticks": len(ticks.seconds),
        "tick_median_s": round(statistics.median(ticks.seconds), 3),
        "tick_p95_s": round(statistics.quantiles(ticks.seconds, n=20)[-1], 3),
        "load_median_s": round(statistics.median(ticks.loads), 3),
        "errors": ticks.errors,
        "memory_growth_mib": round(growth / MEBIBYTE, 1),
        "epochs_per_second_alone": round(alone, 2),
        "epochs_per_second_beside": round(beside, 2),
        "speed_kept": round(beside / alone, 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.sessions, arguments.seconds)
    print(
        json.dumps(figures)
        if arguments.json
        else "\n".join(f"{name:26} {value}" for name, value in figures.items())
    )


if __name__ == "__main__":
    main()
