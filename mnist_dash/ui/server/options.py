"""What the dashboard's `st.App` is made of, for its two entries. Loading it takes a moment: the workers' start waits for it."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mnist_dash.ui.server.headers import SecurityHeaders, failed
from mnist_dash.ui.server.lifespan import lifespan
from mnist_dash.ui.server.sessions import CountSessions

SCRIPT = Path(__file__).parents[1] / "entry" / "pages.py"
"""What draws the pages, once a session and rerun."""
ROUTES = {"/healthz": "probes.healthz", "/readyz": "probes.readyz", "/metrics": "metrics.metrics"}
"""What answers at an address, by module and function of this room; loaded when it is asked."""


def options() -> dict[str, Any]:
    """Give the keyword arguments of `st.App`."""
    return {
        "lifespan": lifespan,
        "routes": [Route(path, _loaded_when_asked(name)) for path, name in ROUTES.items()],
        "middleware": [Middleware(SecurityHeaders), Middleware(CountSessions)],
        "exception_handlers": {Exception: failed},
    }


def _loaded_when_asked(name: str) -> Callable[[Request], Awaitable[Response]]:
    module, _, function = name.partition(".")

    async def answer(request: Request) -> Response:
        loaded = await asyncio.to_thread(importlib.import_module, f"mnist_dash.ui.server.{module}")
        answered: Response = await getattr(loaded, function)(request)
        return answered

    return answer
