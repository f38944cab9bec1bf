"""What asks whether the server lives and whether it may be sent visitors: `/healthz` and `/readyz`.

Anybody may ask, so the answers name no path and no host; the log has the sentences.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket

from starlette.requests import Request
from starlette.responses import JSONResponse

from mnist_dash.errors import MnistDashError
from mnist_dash.ui.app import admission, resources

ANSWER_SECONDS = 3.0
"""How long a probe waits for the store; orchestrators give up after about as long."""
log = logging.getLogger("mnist_dash.server")


async def healthz(_request: Request) -> JSONResponse:
    """Answer: the process lives and is not stuck."""
    return JSONResponse({"status": "ok"})


async def readyz(_request: Request) -> JSONResponse:
    """Answer 200 where the pages work and runs would train, 503 with the reasons otherwise."""
    try:
        reasons = await asyncio.wait_for(asyncio.to_thread(unready), ANSWER_SECONDS)
    except TimeoutError:
        reasons = [f"The database does not answer within {ANSWER_SECONDS:g} s."]
    return JSONResponse(
        {"status": "not ready" if reasons else "ready", "reasons": reasons},
        status_code=503 if reasons else 200,
    )


def unready() -> list[str]:
    """List the reasons why this server should not be sent visitors; none when all is well."""
    try:
        settings = admission.settings()
    except MnistDashError as error:
        log.warning("Not ready: %s", error)
        return ["A setting is not valid; the server's log says which."]
    if not admission.may_admit(settings.access):
        return [
            "Nobody may use this server: others can reach it, but it has no sign-in and is not read-only."
        ]
    try:
        store = resources.shared_store(settings)
        store.revision()
        n_alive = sum(
            worker.state != "gone"
            for worker in store.workers()
            if worker.host == socket.gethostname()
        )
    except MnistDashError as error:
        log.warning("Not ready: %s", error)
        return [
            f"The database does not answer, or cannot be used ({type(error).__name__}); the server's log says why."
        ]
    reasons = []
    if not os.access(settings.artifact_dir, os.W_OK):
        reasons.append("The artifact folder cannot be written.")
    if settings.keeps_workers and not n_alive:
        reasons.append("No worker of this server is alive yet.")
    return reasons
