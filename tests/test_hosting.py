"""What the image, the compose file, the units and the proxies name is there: files, commands, settings, services."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from streamlit import config as streamlit_config

from mnist_dash.settings import Settings
from mnist_dash.ui.server.options import ROUTES
from tests.cli.interface import parse
from tests.source_tree import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
OF_POSTGRES = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}
OF_PYTHON = {"PYTHONUNBUFFERED", "PIP_NO_CACHE_DIR", "PIP_DISABLE_PIP_VERSION_CHECK", "CUDA_VISIBLE_DEVICES"}


def instructions(word: str) -> list[str]:
    """List the arguments of a Dockerfile's instruction, one string each time it stands there."""
    return [line.split(None, 1)[1] for line in DOCKERFILE.splitlines() if line.startswith(f"{word} ")]


def is_known(name: str) -> bool:
    """Whether something reads this environment variable: MNIST Dash, Streamlit, PostgreSQL's image, or Python."""
    settings = set(re.findall(r"MNIST_DASH_\w+", (ROOT / "mnist_dash" / "settings.py").read_text()))
    options = {option.env_var for option in streamlit_config.get_config_options().values()}
    return name in settings | options | OF_POSTGRES | OF_PYTHON


def assigned(file: Path) -> dict[str, str]:
    """Read the variables of an environment file."""
    return dict(line.split("=", 1) for line in file.read_text().splitlines() if line and not line.startswith("#"))


def check_command(words: list[str]) -> None:
    """Check that a command line of the image or of a unit is one that exists."""
    assert words[0].endswith("python")
    assert words[1] == "-m"
    if words[2] == "streamlit":
        assert words[3] == "run"
        assert (ROOT / words[4]).is_file()
        named = [word.removeprefix("--") for word in words[5:] if word.startswith("--")]
        assert set(named) <= set(streamlit_config.get_config_options())
    else:
        assert words[2] == "mnist_dash"
        parse(words[3:])


def test_image_has_what_it_copies_and_no_secret() -> None:
    """Each path is there and passes .dockerignore, which lets nothing else through; nobody is root."""
    copied = [path for line in instructions("COPY") for path in line.split()[:-1]]
    assert {"requirements.txt", "mnist_dash", "studies", "streamlit_app.py"} <= set(copied)
    assert [path for path in copied if not (ROOT / path).exists()] == []
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied)
    assert instructions("USER") == ["dash"]
    assert ".env" in (ROOT / ".gitignore").read_text().split()


def test_image_serves_where_its_health_is_asked() -> None:
    """The command is one, the port is the one that is exposed, asked and published."""
    (health,) = instructions("HEALTHCHECK")
    assert f"/{health.partition('8501/')[2].partition(chr(39))[0]}" in ROUTES
    (command,) = instructions("CMD")
    check_command(yaml.safe_load(command))
    (port,) = instructions("EXPOSE")
    assert f"127.0.0.1:{port}/" in health
    assert COMPOSE["services"]["dashboard"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"127.0.0.1:{port}" in (DEPLOY / "Caddyfile").read_text()
    assert [name for line in instructions("ENV") for name in re.findall(r"(\w+)=", line) if not is_known(name)] == []


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_service_is_whole(name: str) -> None:
    """Its command, variables and volumes exist, and what it waits for has a health check."""
    service = COMPOSE["services"][name]
    if "command" in service:
        check_command(service["command"])
    assert [key for key in service["environment"] if not is_known(key)] == []
    assert {volume.split(":")[0] for volume in service["volumes"]} <= set(COMPOSE["volumes"])
    for other, wait in service.get("depends_on", {}).items():
        assert wait["condition"] == "service_healthy"
        assert COMPOSE["services"][other]["healthcheck"]["test"]


def test_services_share_a_store_that_settings_accept() -> None:
    """All processes of ours read the same database and folder, and the dashboard starts no workers beside the service."""
    ours = [service for service in COMPOSE["services"].values() if service["image"] == "mnist-dash"]
    assert len(ours) == 3
    for service in ours:
        settings = Settings.from_environment(service["environment"] | {"MNIST_DASH_THREADS": "1"})
        assert (settings.home, settings.n_workers, settings.is_sqlite) == (Path("/data"), 0, False)
        assert service["volumes"] == ["data:/data"]


@pytest.mark.parametrize("file", sorted(DEPLOY.glob("*.env.example")), ids=lambda file: file.name)
def test_example_settings_are_settings(file: Path) -> None:
    """Each variable is read by something, and the values of ours are accepted."""
    found = assigned(file)
    assert [name for name in found if not is_known(name)] == []
    Settings.from_environment(found)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit_starts_something(unit: Path) -> None:
    """Its command exists; its settings are those of the example; it restarts and is not root."""
    lines = dict(line.split("=", 1) for line in unit.read_text().splitlines() if "=" in line)
    check_command(shlex.split(lines["ExecStart"]))
    assert lines["EnvironmentFile"] == "/etc/mnist-dash.env"
    assert lines["Restart"] == "always"
    assert lines["User"] == "mnist-dash"
    home = assigned(DEPLOY / "mnist-dash.env.example")["MNIST_DASH_HOME"]
    assert home == f"/var/lib/{lines['StateDirectory']}"


def test_proxy_passes_on_what_a_websocket_needs() -> None:
    """The upgrade, and the host with its port: without it Streamlit refuses a WebSocket on any port but the usual."""
    text = (DEPLOY / "nginx.conf").read_text()
    for line in (
        "proxy_http_version 1.1;",
        "Upgrade $http_upgrade;",
        "Connection $connection_upgrade;",
        "Host $http_host;",
        "X-Forwarded-For",
    ):
        assert line in text
