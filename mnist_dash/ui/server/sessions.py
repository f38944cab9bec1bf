"""How many tabs are open."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

_n_open = 0


def count() -> int:
    """Count the WebSockets that are open: one a tab."""
    return _n_open


class CountSessions:
    """Counts the WebSockets that are open, one a tab."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection, and count it while it is open."""
        global _n_open  # noqa: PLW0603 - of this process, like the server itself; counted on the event loop alone
        counted = scope["type"] == "websocket"
        _n_open += counted
        try:
            await self._app(scope, receive, send)
        finally:
            _n_open -= counted
