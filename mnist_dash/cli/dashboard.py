"""`dashboard`: serve the pages on this machine."""

from __future__ import annotations

import os
import sys
from importlib.resources import files


def dashboard(*, port: int | None, browser: bool) -> int:
    """Become Streamlit's server of the packaged entry, so that signals reach it; its own configuration lies beside the entry."""
    entry = files("mnist_dash") / "ui" / "entry" / "dashboard.py"
    options = ["--server.headless", str(not browser).lower()]
    # Without one Streamlit looks for a free one.
    options += [] if port is None else ["--server.port", str(port)]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(entry), *options])  # noqa: S606 - our own entry, no shell
