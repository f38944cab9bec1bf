"""What starts and ends with the server: its workers and study runner, and what the first page needs in memory.

Nothing here waits for a visitor, and no failure here ends the server: a setting that is wrong, or a database that does not answer, is what
the pages and `/readyz` say.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import logging
import threading
from collections.abc import AsyncIterator

from mnist_dash import logs
from mnist_dash.errors import MnistDashError
from mnist_dash.runs.execution.supervisor import end_workers, ensure_workers
from mnist_dash.settings import Settings
from mnist_dash.ui.app import admission

LOOK_SECONDS = 1.0
"""Between two looks whether the supervisor still lives; secrets that were corrected meanwhile count from the next one on."""
COMPANIONS = ("mnist_dash.search.engine.study_runner",)
log = logging.getLogger("mnist_dash.server")


@contextlib.asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    """Keep the local workers while the server serves, and end only when they have given their runs back."""
    keeping = asyncio.create_task(_keep_workers(), name="keep-workers")
    threading.Thread(target=_load_ahead, name="load-ahead", daemon=True).start()
    try:
        yield
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        await asyncio.to_thread(end_workers)


async def _keep_workers() -> None:
    said = ""
    while True:
        try:
            await asyncio.to_thread(_look)
        except MnistDashError as error:
            if str(error) != said:
                said = str(error)
                log.error("%s", said)  # noqa: TRY400 - a sentence, not a traceback
        await asyncio.sleep(LOOK_SECONDS)


def _look() -> None:
    """See to the workers and the log by the settings as they are now.

    Raises:
        InvalidInput: a setting is not one.
    """
    settings = admission.settings()
    _set_up_logs(settings)
    keep_workers(settings)


def keep_workers(settings: Settings) -> None:
    """Start the workers where this server keeps some and lets anybody in; cheap where they run."""
    if admission.may_admit(settings.access):
        ensure_workers(settings, companions=COMPANIONS)


@functools.cache
def _set_up_logs(settings: Settings) -> None:
    """Have Streamlit's and uvicorn's lines hide secrets too, once, and again where settings were corrected."""
    logs.set_up(settings)


def _load_ahead() -> None:
    importlib.import_module("mnist_dash.ui.app.resources").load_ahead()
