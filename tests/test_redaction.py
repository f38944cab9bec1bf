"""Secrets are in no log, page, archive, message or output, whatever brings them there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mnist_dash import redaction
from mnist_dash.cli import main
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import StoreError, StoreUnavailable
from mnist_dash.redaction import redact
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.execution.doctor import examine_store
from mnist_dash.runs.execution.worker_records import Outcome, WorkerRecords
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.runs.transfer.archive_export import archive_of
from mnist_dash.settings import Settings
from mnist_dash.ui.app import admission
from mnist_dash.ui.server.options import SCRIPT
from tests.new_store import new_store
from tests.runs.conftest import new_worker
from tests.source_tree import ROOT
from tests.waiting import PATIENCE_SECONDS

PASSWORD = "Tr0ub4dor&3"  # noqa: S105 - what must not be found
WRITTEN = "Tr0ub4dor%263"
URL = f"postgresql+psycopg://keeper:{WRITTEN}@127.0.0.1:1/dash"
"""Of a server that refuses every connection."""


@pytest.fixture(autouse=True)
def _own_secrets() -> Iterator[None]:
    """Forget afterwards what a test has called a secret."""
    kept = set(redaction._kept)
    redaction._kept.clear()
    yield
    redaction._kept.clear()
    redaction._kept.update(kept)


def assert_clean(text: str) -> None:
    """Find neither form of the password."""
    assert PASSWORD not in text
    assert WRITTEN not in text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"cannot reach {URL}.", "cannot reach postgresql+psycopg://keeper:***@127.0.0.1:1/dash."),
        ("postgresql://keeper:p@ss/wo:rd@host/dash", "postgresql://keeper:***@host/dash"),
        (
            f"postgresql+psycopg:///dash?host=/run&user=keeper&password={WRITTEN}",
            "postgresql+psycopg:///dash?host=/run&user=keeper&password=***",
        ),
        (
            f"host=db user=keeper password={PASSWORD} dbname=dash",
            "host=db user=keeper password=*** dbname=dash",
        ),
        (
            f"{{'cookie_secret': '{PASSWORD}', 'client_id': 'dash'}}",
            "{'cookie_secret': ***, 'client_id': 'dash'}",
        ),
        (
            f"GET /run?run=1a2b&token={'0a' * 8}.{'x' * 43} 200",
            f"GET /run?run=1a2b&token={'0a' * 8}.*** 200",
        ),
        (
            "https://example.org/a:b, loss: 0.25; see ann@example.org",
            "https://example.org/a:b, loss: 0.25; see ann@example.org",
        ),
    ],
)
def test_secrets_are_known_by_their_form(text: str, left: str) -> None:
    """URLs, named values and tokens lose what is secret, and everything else stays."""
    assert redact(text) == left
    assert redact(left) == left


def test_settings_hide_their_password() -> None:
    """It is in no repr, and is a secret from then on wherever it stands and however it is written."""
    settings = Settings.from_environment(
        {"MNIST_DASH_HOME": "/nowhere", "MNIST_DASH_DATABASE_URL": URL}
    )
    assert settings.database_url == URL
    assert_clean(repr(settings))
    assert redact(f"the server says: {PASSWORD} or {WRITTEN}") == "the server says: *** or ***"


def test_silent_database_keeps_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the exception nor the doctor nor a command says it; host and user are for whoever runs it."""
    monkeypatch.setenv("MNIST_DASH_HOME", str(tmp_path))
    for url in (
        URL,
        f"postgresql+psycopg:///dash?host=127.0.0.1&port=1&user=keeper&password={WRITTEN}",
    ):
        monkeypatch.setenv("MNIST_DASH_DATABASE_URL", url)
        settings = Settings.from_environment()
        with pytest.raises(StoreUnavailable) as caught:
            Store.open(settings)
        assert "keeper" in str(caught.value)
        assert main(["runs"]) == 2
        said = "".join(capsys.readouterr()) + str(caught.value) + repr(examine_store(settings))
        assert_clean(said)


@pytest.mark.parametrize(
    "url",
    [
        f"{PASSWORD}",
        f"postgresql://u:{PASSWORD}/x@host:{PASSWORD}/db",
        f"nothing://keeper:{PASSWORD}@host/db",
    ],
)
def test_wrong_url_is_not_repeated(tmp_path: Path, url: str) -> None:
    """What cannot be read as a URL may be a password from its first letter on."""
    settings = Settings.from_environment(
        {"MNIST_DASH_HOME": str(tmp_path), "MNIST_DASH_DATABASE_URL": url}
    )
    with pytest.raises(StoreError, match="MNIST_DASH_DATABASE_URL is no database URL") as caught:
        Store.open(settings)
    assert_clean(str(caught.value) + repr(examine_store(settings)))


def test_processes_log_no_password(tmp_path: Path) -> None:
    """A record of any library, its traceback, and the traceback that ends a process or a thread."""
    script = (
        "import logging, os, threading; from mnist_dash.redaction import guard_output; from mnist_dash.settings import Settings\n"
        "guard_output(); guard_output(); logging.basicConfig(); url = Settings.from_environment().database_url\n"
        "def fail(): raise ValueError('in a thread: ' + url)\n"
        "logging.getLogger('some.library').warning('cannot reach %s', url)\n"
        "try: fail()\nexcept ValueError: logging.getLogger('other').exception('failed')\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join()\nraise RuntimeError(url)\n"
    )
    environment = os.environ | {"MNIST_DASH_HOME": str(tmp_path), "MNIST_DASH_DATABASE_URL": URL}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.count("postgresql+psycopg://keeper:***@127.0.0.1:1/dash") == 4
    assert done.stderr.count("Traceback") == 3
    assert_clean(done.stderr)


def test_every_process_guards_its_output() -> None:
    """Whatever begins a log begins with the guard."""
    begins = [
        path.name
        for path in (ROOT / "mnist_dash").rglob("*.py")
        if "logging.basicConfig" in path.read_text()
    ]
    assert begins == ["logs.py"]
    for entry in ("logs.py", "cli/__init__.py", "ui/app/entry.py"):
        assert "guard_output()" in (ROOT / "mnist_dash" / entry).read_text()


def test_reason_and_archive_have_no_password(tmp_path: Path) -> None:
    """A run that failed by a library's own words keeps them without the secret, on its page as in its archive."""
    store = new_store(Settings.from_environment({"MNIST_DASH_HOME": str(tmp_path)}))
    records: WorkerRecords = new_worker(store, "worker", pid=os.getpid())
    run = records.claim(Job(run_actions.submit(store, _config()), 1))
    assert run is not None
    records.finish(
        run, Outcome(RunState.FAILED, reason=f"Training failed: cannot reach {URL}."), files={}
    )
    assert (
        store.run(run.id).reason
        == "Training failed: cannot reach postgresql+psycopg://keeper:***@127.0.0.1:1/dash."
    )
    assert_clean(archive_of(store, [run.id]).decode("latin-1"))
    store.close()


def _config() -> RunConfig:
    return RunConfig(epochs=1)


@pytest.mark.parametrize(
    ("token", "email", "sentence", "hidden"),
    [
        ("", "", "The database has not answered for", ""),
        ("", "guest@example.org", "The database does not answer.", "keeper"),
        (f"{'0a' * 8}.{'x' * 43}", "", "The database does not answer.", "keeper"),
    ],
)
def test_outage_tells_visitors_nothing(
    monkeypatch: pytest.MonkeyPatch, token: str, email: str, sentence: str, hidden: str
) -> None:
    """Whoever runs the server reads host and user, everybody else only that there is an outage; nobody the password."""
    monkeypatch.setenv("MNIST_DASH_DATABASE_URL", URL)
    monkeypatch.setenv("MNIST_DASH_WORKERS", "0")
    if email:
        monkeypatch.setenv("MNIST_DASH_VIEWERS", email)
        monkeypatch.setattr(admission, "providers", lambda: (None,))
        monkeypatch.setattr(admission, "email", lambda _access: email)
    app = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_SECONDS)
    if token:
        app.query_params["token"] = token
    app.run()
    said = "\n".join(
        str(element.value)  # type: ignore[union-attr]
        for kind in ("warning", "error")
        for element in app.get(kind)
    )
    assert sentence in said
    assert ("keeper" in said) is not bool(hidden)
    assert "127.0.0.1" in said or hidden
    assert_clean(repr(app._tree))
