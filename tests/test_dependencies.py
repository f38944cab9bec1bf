"""What is installed beside MNIST Dash may be used and passed on with it."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pytest

from tests.dependencies import ALLOWED, EXCEPTIONS, NVIDIA, audit, licences, runtime


def test_licences_are_on_the_list() -> None:
    """Every run-time package, and what it needs in turn, is under licences of the list, or is an exception with a reason."""
    names, wrong = set(), {}
    for package in runtime():
        name = package.name.lower().replace("_", "-")
        names.add(name)
        allowed = ALLOWED | {EXCEPTIONS[name][0]} if name in EXCEPTIONS else ALLOWED
        if not NVIDIA.match(name) and not licences(package) <= allowed:
            wrong[name] = licences(package) - allowed
    assert wrong == {}
    assert {"torch", "streamlit", "sqlalchemy", "starlette"} <= names


@pytest.mark.parametrize(
    ("stdout", "code", "said"),
    [
        ("", 0, "Not audited"),
        ('{"dependencies": [{"name": "a", "skip_reason": "not found"}]}', 0, "Not audited"),
        (
            '{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}',
            0,
            "0 known vulnerabilities",
        ),
        (
            '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}]}',
            1,
            "a 1: CVE-1, mended in 2",
        ),
    ],
)
def test_audit_fails_on_findings_alone(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stdout: str,
    code: int,
    said: str,
) -> None:
    """A service that does not answer is said and is no failure; a known vulnerability is one."""
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda *_, **__: subprocess.CompletedProcess([], 1, stdout, "ConnectionError"),
    )
    package = SimpleNamespace(name="a", version="1+cpu")
    assert audit([package]) == code  # type: ignore[list-item]
    assert said in capsys.readouterr().out
