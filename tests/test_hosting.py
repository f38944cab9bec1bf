"""What the image, the compose file, the units and the proxies name is there: files, commands, settings, services."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from streamlit import config as streamlit_config

from mnist_dash.settings import Settings
from mnist_dash.text import parse_duration
from mnist_dash.ui.server.options import ROUTES
from tests.cli.interface import parse
from tests.source_tree import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
KUBERNETES = DEPLOY / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
MANIFESTS: list[dict[str, Any]] = [
    manifest
    for name in KUSTOMIZATION["resources"]
    for manifest in yaml.safe_load_all((KUBERNETES / name).read_text())
]
DEPLOYMENTS = [manifest for manifest in MANIFESTS if manifest["kind"] == "Deployment"]
SLURM = sorted((DEPLOY / "slurm").glob("*.sbatch"))
OF_POSTGRES = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}
OF_PYTHON = {
    "PYTHONUNBUFFERED",
    "PIP_NO_CACHE_DIR",
    "PIP_DISABLE_PIP_VERSION_CHECK",
    "CUDA_VISIBLE_DEVICES",
}


def instructions(word: str) -> list[str]:
    """List the arguments of a Dockerfile's instruction, one string each time it stands there."""
    return [
        line.split(None, 1)[1] for line in DOCKERFILE.splitlines() if line.startswith(f"{word} ")
    ]


def is_known(name: str) -> bool:
    """Whether something reads this environment variable: MNIST Dash, Streamlit, PostgreSQL's image, or Python."""
    settings = set(re.findall(r"MNIST_DASH_\w+", (ROOT / "mnist_dash" / "settings.py").read_text()))
    options = {option.env_var for option in streamlit_config.get_config_options().values()}
    return name in settings | options | OF_POSTGRES | OF_PYTHON


def assigned(file: Path) -> dict[str, str]:
    """Read the variables of an environment file."""
    return dict(
        line.split("=", 1)
        for line in file.read_text().splitlines()
        if line and not line.startswith("#")
    )


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
    ignored = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if not line.startswith("#")
    ]
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
    assert [
        name
        for line in instructions("ENV")
        for name in re.findall(r"(\w+)=", line)
        if not is_known(name)
    ] == []


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


def named(manifest: dict[str, Any]) -> str:
    """Name a manifest for the test's report."""
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def container(deployment: dict[str, Any]) -> dict[str, Any]:
    """Give the one container of a deployment's pods."""
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_every_manifest_is_applied() -> None:
    """What lies in the folder is what the kustomization names."""
    assert {path.name for path in KUBERNETES.glob("*.yaml")} == {
        "kustomization.yaml",
        *KUSTOMIZATION["resources"],
    }


@pytest.mark.parametrize("version", ["1.28", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("manifest", MANIFESTS, ids=named)
def test_manifest_is_what_kubernetes_takes(manifest: dict[str, Any], version: str) -> None:
    """Each field is one of Kubernetes' own schema, and none is unknown to it."""
    kubernetes_validate.validate(manifest, version, strict=True)


def test_schema_refuses_a_mistake() -> None:
    """The validation above can fail."""
    wrong = yaml.safe_load((KUBERNETES / "worker.yaml").read_text())
    wrong["spec"]["template"]["spec"]["terminationGracePeriod"] = 30
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=named)
def test_pod_is_whole(deployment: dict[str, Any]) -> None:
    """Its command exists; what it takes its settings and volumes from does; it is not root, and has time to give its run back."""
    pod, one = deployment["spec"]["template"]["spec"], container(deployment)
    if "command" in one:
        check_command(one["command"])
    (config,) = (manifest["data"] for manifest in MANIFESTS if manifest["kind"] == "ConfigMap")
    assert [
        name
        for name in [*config, *(variable["name"] for variable in one.get("env", ()))]
        if not is_known(name)
    ] == []
    assert [source[kind]["name"] for source in one["envFrom"] for kind in source] == [
        "mnist-dash",
        "mnist-dash",
    ]
    assert {mount["name"] for mount in one["volumeMounts"]} == {
        volume["name"] for volume in pod["volumes"]
    }
    claims = {
        manifest["metadata"]["name"]
        for manifest in MANIFESTS
        if manifest["kind"] == "PersistentVolumeClaim"
    }
    assert {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    } <= claims
    mounts = {mount["mountPath"] for mount in one["volumeMounts"]}
    settings = Settings.from_environment(
        config
        | {"MNIST_DASH_DATABASE_URL": "postgresql+psycopg://u@h/d", "MNIST_DASH_THREADS": "1"}
    )
    assert {str(settings.home), str(settings.artifact_dir)} == mounts
    assert settings.n_workers == 0
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert str(pod["securityContext"]["runAsUser"]) in DOCKERFILE
    assert pod["terminationGracePeriodSeconds"] >= 15
    assert pod["shareProcessNamespace"] is True


def test_service_reaches_the_dashboard() -> None:
    """Its selector and port are those of the pods, and they are asked whether they are well at the port that they listen at."""
    (service,) = (manifest for manifest in MANIFESTS if manifest["kind"] == "Service")
    (dashboard,) = (
        deployment for deployment in DEPLOYMENTS if deployment["metadata"]["name"] == "dashboard"
    )
    assert service["spec"]["selector"] == dashboard["spec"]["template"]["metadata"]["labels"]
    (port,) = container(dashboard)["ports"]
    assert [each["targetPort"] for each in service["spec"]["ports"]] == [port["name"]]
    assert [str(port["containerPort"])] == instructions("EXPOSE")
    probes = {
        name: container(dashboard)[name]["httpGet"]
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    assert probes["readinessProbe"]["path"] != probes["livenessProbe"]["path"]


@pytest.mark.parametrize("script", SLURM, ids=lambda script: script.name)
def test_batch_script_is_sound(script: Path) -> None:
    """ShellCheck finds nothing, its command exists, and the worker ends before Slurm ends it."""
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run(
        [shellcheck, "--enable=all", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    text = script.read_text()
    assert [name for name in re.findall(r"MNIST_DASH_\w+", text) if not is_known(name)] == []
    (command,) = re.findall(r"^exec srun (.*)$", text, flags=re.MULTILINE)
    check_command(shlex.split(command))
    (hours, minutes) = map(
        int, re.findall(r"^#SBATCH --time=(\d+):(\d+):00$", text, flags=re.MULTILINE)[0]
    )
    seconds = parse_duration(re.findall(r"--for (\w+)", command)[0])
    assert seconds is not None
    assert seconds + 120 < 3600 * hours + 60 * minutes


def test_batch_script_says_what_it_lacks() -> None:
    """Without the common database it ends before it asks Slurm for anything, with what to do."""
    done = subprocess.run(
        ["bash", str(SLURM[0])],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "MNIST_DASH_DATABASE_URL: Set it to the URL" in done.stderr
