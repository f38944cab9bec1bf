"""What a real server answers beside its pages: probes, metrics, headers."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.actions import run_actions
from tests.browser.conftest import Dashboard, free_port, serve
from tests.waiting import wait_until

TOKEN = "a-token-of-the-test"  # noqa: S105 - of this test


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A server that keeps no workers, with a token for its metrics and a course page that may frame it."""
    settings = {
        "MNIST_DASH_WORKERS": "0",
        "MNIST_DASH_METRICS_TOKEN": TOKEN,
        "MNIST_DASH_FRAME_ANCESTORS": "https://course.example.org",
    }
    with serve(tmp_path_factory.mktemp("home"), free_port(), **settings) as served:
        yield served


def ask(served: Dashboard, path: str, **headers: str) -> tuple[int, Message, str]:
    """Ask a server and give status, headers and text."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(served.url + path, headers=names)  # noqa: S310 - this machine's
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def samples(text: str) -> dict[str, float]:
    """Read metrics: values by name and labels."""
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_server_without_workers_is_ready(quiet: Dashboard) -> None:
    """It lives, and it is ready when its store answers."""
    assert ask(quiet, "/healthz")[::2] == (200, '{"status":"ok"}')
    status, _, text = ask(quiet, "/readyz")
    assert (status, json.loads(text)) == (200, {"status": "ready", "reasons": []})


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into every folder")
def test_artifact_folder_that_cannot_be_written(quiet: Dashboard) -> None:
    """The reason is told, and no path."""
    folder = quiet.store.settings.artifact_dir
    folder.chmod(0o500)
    try:
        status, _, text = ask(quiet, "/readyz")
        assert (status, json.loads(text)["reasons"]) == (
            503,
            ["The artifact folder cannot be written."],
        )
    finally:
        folder.chmod(0o700)


def test_database_that_is_gone_is_a_reason(tmp_path: Path) -> None:
    """A server whose database has been taken away is not sent visitors, and lives."""
    with serve(tmp_path, free_port(), MNIST_DASH_WORKERS="0") as served:
        assert ask(served, "/readyz")[0] == 200
        (tmp_path / "mnist_dash.db").rename(tmp_path / "elsewhere.db")
        status, _, text = ask(served, "/readyz")
        assert status == 503
        assert "database" in json.loads(text)["reasons"][0]
        assert str(tmp_path) not in text
        assert ask(served, "/healthz")[0] == 200
        assert samples(ask(served, "/metrics")[2])["mnist_dash_store_up[]"] == 0


def test_metrics_are_the_owners_or_by_token(quiet: Dashboard) -> None:
    """At this machine they are there; through a proxy, under another name, or from elsewhere only with the token."""
    assert ask(quiet, "/metrics")[0] == 200
    elsewhere = {"X_Forwarded_For": "203.0.113.9"}
    assert ask(quiet, "/metrics", **elsewhere)[0] == 401
    assert ask(quiet, "/metrics", Host="dash.example.org")[0] == 401
    assert ask(quiet, "/metrics", Authorization="Bearer wrong", **elsewhere)[0] == 401
    assert ask(quiet, "/metrics", Authorization=f"Bearer {TOKEN}", **elsewhere)[0] == 200


def test_metrics_tell_the_store(quiet: Dashboard) -> None:
    """A run that is submitted is counted as queued, with its age, within a second or two."""
    before = samples(ask(quiet, "/metrics")[2])
    run_actions.submit(quiet.store, RunConfig(epochs=1))
    wait_until(
        lambda: (
            samples(ask(quiet, "/metrics")[2])["mnist_dash_runs['queued']"]
            == before["mnist_dash_runs['queued']"] + 1
        ),
        "the run is counted",
    )
    after = samples(ask(quiet, "/metrics")[2])
    assert after["mnist_dash_queue_oldest_seconds[]"] > 0
    assert after["mnist_dash_store_up[]"] == 1
    assert after["mnist_dash_slots['cpu']"] == 0


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/run?run=1",
        "/healthz",
        "/metrics",
        "/_stcore/health",
        "/_stcore/nothing",
        "/static/nothing.js",
    ],
)
def test_every_answer_has_the_headers(quiet: Dashboard, path: str) -> None:
    """Pages, routes, files and errors say the same; scripts come from here alone, and only a page that was named may frame them."""
    _, headers, _ = ask(quiet, path)
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert "unsafe-inline" not in policy["script-src"]
    assert "http" not in policy["script-src"] + policy["connect-src"]
    assert policy["frame-ancestors"] == "'self' https://course.example.org"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


def test_workers_are_there_before_anybody_comes(tmp_path: Path) -> None:
    """Not ready until its worker lives, then ready, though nobody has opened a page; a run trains, and its wait and pace are told."""
    with serve(tmp_path, free_port(), MNIST_DASH_THREADS="1") as served:
        status, _, text = ask(served, "/readyz")
        assert status == 200 or json.loads(text)["reasons"] == [
            "No worker of this server is alive yet."
        ]
        wait_until(lambda: ask(served, "/readyz")[0] == 200, "the worker lives")
        run_actions.submit(served.store, RunConfig(epochs=500, batch_size=1000))
        wait_until(
            lambda: samples(ask(served, "/metrics")[2])["mnist_dash_epochs_per_second[]"] > 0,
            "an epoch is told",
        )
        told = samples(ask(served, "/metrics")[2])
        assert told["mnist_dash_workers['cpu', 'running']"] == 1
        assert told["mnist_dash_queue_wait_seconds['1']"] >= 0
