"""What every response tells the browser about what its pages may do: nothing that they do not need.

The pages need: Streamlit's own scripts and the one inline script of its page; ``blob:`` scripts, as which Streamlit loads the JavaScript of
components and our charts load Plotly from the browser's cache; functions made of text (``unsafe-eval``), as Plotly makes them to draw with
WebGL: without it charts of many points stay empty; inline styles, which Streamlit writes; images and fonts as ``data:`` and ``blob:``.
Scripts of other places and inline scripts stay forbidden. Everything else comes from this server, so nothing can be sent elsewhere.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from pathlib import Path

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mnist_dash.errors import MnistDashError
from mnist_dash.settings import Settings

_OFF = (
    "camera",
    "microphone",
    "geolocation",
    "payment",
    "usb",
    "serial",
    "midi",
    "display-capture",
    "browsing-topics",
)
"""What no page asks for."""


class SecurityHeaders:
    """Adds the headers to every response that has not its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in headers().items():
                    found.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


async def failed(_request: Request, _error: Exception) -> PlainTextResponse:
    """Answer where a route broke; this answer is made outside of every middleware. The traceback is in the log."""
    return PlainTextResponse("The server met an error.", status_code=500, headers=headers())


@functools.cache
def headers() -> dict[str, str]:
    """Give the headers by name; asked for when the server serves, as settings may come from Streamlit's secrets."""
    return {
        "Content-Security-Policy": policy(),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",  # an address may hold the secret of a share link
        "Permissions-Policy": ", ".join(f"{name}=()" for name in _OFF),
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def policy() -> str:
    """Write the Content-Security-Policy."""
    try:
        # Those of Streamlit's secrets are in the environment by now.
        framing = Settings.from_environment().frame_ancestors
    except MnistDashError:
        framing = ()  # the pages say what is wrong with the settings
    directives = {
        "default-src": "'none'",
        "script-src": " ".join(("'self'", "blob:", "'unsafe-eval'", *inline_scripts())),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": " ".join(("'self'", *framing)),
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def inline_scripts() -> tuple[str, ...]:
    """Name by their hashes the scripts that stand in Streamlit's own page."""
    page = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    found = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    return tuple(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in found
    )
