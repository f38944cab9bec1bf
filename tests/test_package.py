"""What pip installs: a wheel with everything, and a command that opens the dashboard from any folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import urllib.request
import zipfile
from pathlib import Path

import pytest

import mnist_dash
from tests.source_tree import ROOT
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive, and the wheel that was made of it."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    changed = subprocess.run(
        ["git", "diff", "HEAD", "--binary"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    if changed:
        subprocess.run(["git", "apply"], cwd=source, check=True, input=changed)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="module")
def installed(built: Path) -> Path:
    """The scripts of a bare environment in which the wheel is installed, beside the libraries of this one."""
    environment = built / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    scripts = environment / "bin"
    (wheel,) = built.glob("*.whl")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(scripts / "python"),
        "install",
        "--no-deps",
        "--no-index",
        "-q",
        str(wheel),
    ]
    subprocess.run(pip, check=True)
    (site_packages,) = environment.glob("lib/python*/site-packages")
    (site_packages / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return scripts


def test_wheel_holds_every_file_of_the_package(built: Path) -> None:
    """Pages, scripts, styles, templates, archives, studies: all but the types of the JavaScript; nothing of the tests."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        entry = archive.read("mnist_dash/ui/entry/.streamlit/config.toml")
    tracked = subprocess.run(
        ["git", "ls-files", "mnist_dash"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    files = {name for name in tracked if not name.endswith(".d.ts") and (ROOT / name).is_file()}
    studies = {f"mnist_dash/studies/{path.name}" for path in (ROOT / "studies").glob("*.yaml")}
    assert names == files | studies
    assert entry == (ROOT / ".streamlit/config.toml").read_bytes()


def test_source_archive_builds_the_same(built: Path) -> None:
    """The source archive has what the wheel is made of, its requirements and its licence included."""
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        names = {name.partition("/")[2] for name in content.getnames()}
    assert names >= {
        "pyproject.toml",
        "requirements.txt",
        "LICENSE",
        "README.md",
        "mnist_dash/ui/entry/.streamlit/config.toml",
    }


def test_metadata_is_that_of_the_project(built: Path) -> None:
    """Version, requirements and extras of the wheel are those that are written down."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        metadata = archive.read(name).decode()
    assert f"Version: {mnist_dash.__version__}\n" in metadata
    for extra in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]:
        assert f"Provides-Extra: {extra}\n" in metadata
    assert "Requires-Dist: streamlit<1.68,>=1.67" in metadata


def test_command_without_arguments_serves_the_dashboard(installed: Path, tmp_path: Path) -> None:
    """`mnist-dash`, typed in an empty folder of a machine without a checkout, answers on localhost and ends with Ctrl+C."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "empty").mkdir()
    environment = os.environ | {
        "MNIST_DASH_WORKERS": "0",
        "STREAMLIT_SERVER_PORT": str(port),
        "BROWSER": "true",
    }
    with subprocess.Popen(
        [installed / "mnist-dash"],
        cwd=tmp_path / "empty",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            wait_until(lambda: _read(port, "/_stcore/health") == "ok", "the server to answer")
            page = _read(port, "/")
            process.send_signal(signal.SIGINT)
            said, complained = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
    assert "<title>Streamlit</title>" in page
    assert f"http://localhost:{port}" in said
    assert "Traceback" not in complained
    assert list((tmp_path / "empty").iterdir()) == []


def test_installed_pages_and_functions_work(installed: Path, tmp_path: Path) -> None:
    """The first page is drawn without an exception, and a notebook's functions read the data that came with the package."""
    code = (
        "import mnist_dash as md\n"
        "from importlib.resources import files\n"
        "from streamlit.testing.v1 import AppTest\n"
        "assert 'environment' in md.__file__, md.__file__\n"
        "assert md.runs().empty and md.load_data('test')[0].shape == (10_000, 28, 28)\n"
        "page = AppTest.from_file(str(files('mnist_dash') / 'ui/entry/pages.py'), default_timeout=120).run()\n"
        "assert not page.exception and not page.error, (page.exception, page.error)\n"
        "assert [one.label for one in page.button if 'Train' in one.label], page.button\n"
    )
    # AppTest has no address.
    environment = os.environ | {
        "MNIST_DASH_WORKERS": "0",
        "MNIST_DASH_ALLOW_UNAUTHENTICATED": "1",
    }
    subprocess.run(
        [installed / "python", "-c", code],
        cwd=tmp_path,
        env=environment,
        check=True,
        timeout=PATIENCE_SECONDS * 3,
    )


def _read(port: int, path: str) -> str:
    try:
        with urllib.request.urlopen(f"http://localhost:{port}{path}", timeout=5) as answer:
            text: str = answer.read().decode()
            return text
    except OSError:
        return ""
