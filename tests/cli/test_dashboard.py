"""`dashboard`: what pip installs serves the pages, with the project's own configuration, on this machine alone."""

from __future__ import annotations

import signal
import socket
import urllib.request
from importlib.resources import files
from pathlib import Path

from mnist_dash.ui.pages.studies.listing import FILES_FOLDER
from tests.cli.conftest import command
from tests.source_tree import ROOT
from tests.waiting import PATIENCE_SECONDS, wait_until


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=2) as answer:
            return bool(answer.read() == b"ok")
    except OSError:
        return False


def test_dashboard_listens_on_localhost_alone_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    """The packaged entry is served, wherever the command was typed; other addresses of the machine get no answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with command(
        "dashboard",
        "--port",
        str(port),
        "--no-browser",
        home=tmp_path / "home",
        MNIST_DASH_WORKERS="0",
    ) as process:
        wait_until(lambda: _answers(port), "the server to answer")
        with socket.socket() as other:
            assert other.connect_ex((_own_address(), port)) != 0
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert f"http://localhost:{port}" in said


def test_package_holds_what_the_dashboard_needs() -> None:
    """Configuration and study files within the package are those at the top of the checkout."""
    package = Path(str(files("mnist_dash")))
    assert (package / "ui/entry/.streamlit/config.toml").read_bytes() == (
        ROOT / ".streamlit/config.toml"
    ).read_bytes()
    assert package / "studies" == FILES_FOLDER
    assert {path.name for path in FILES_FOLDER.glob("*.yaml")} == {
        path.name for path in (ROOT / "studies").glob("*.yaml")
    }


def _own_address() -> str:
    """Give an address of this machine that is not the loopback's, or one that is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Sends nothing; the system chooses the address it would send from.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.2"
        return str(probe.getsockname()[0])
