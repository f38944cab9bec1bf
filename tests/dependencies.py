"""What MNIST Dash needs at run time: requirements.txt and all that follows from it, as it is installed; their licences and known faults.

``python -m tests.dependencies`` asks pip-audit whether any of them has a known vulnerability: 1 when one has, 0 when none has; and 0 when
nobody answers, which it says.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.source_tree import ROOT

ALLOWED = {
    "0BSD",
    "3-Clause BSD License",
    "Apache License 2.0",
    "Apache Software License",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD",
    "BSD License",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT License",
    "MIT-0",
    "MIT-CMU",
    "MPL-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)",
    "PSF-2.0",
    "Python Software Foundation License",
    "Unlicense",
    "Zlib",
}
"""Licences under which a package may be used by a product of any licence, as packages write them: SPDX names, and names of classifiers."""
EXCEPTIONS = {
    "psycopg": ("LGPL-3.0-only", "imported as it is and never changed, and for PostgreSQL alone"),
    "psycopg-binary": ("LGPL-3.0-only", "the same"),
}
"""Packages that may have another licence, which one, and why."""
NVIDIA = re.compile(r"(nvidia|cuda)-")
"""What torch installs for its CUDA builds: proprietary, free to use and not passed on by this project."""


def runtime() -> Iterator[Distribution]:
    """Give the installed packages of requirements.txt, and what they need in turn."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = [line.partition("#")[0].strip() for line in lines]
    open_names, known = [_name(line) for line in wanted if line], set[str]()
    while open_names:
        name = open_names.pop()
        if name in known:
            continue
        known.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # another platform's
        yield found
        open_names += _needed(found.requires or ())


def licences(package: Distribution) -> set[str]:
    """Name the licences of a package: its SPDX expression's parts, its classifiers', or what it writes."""
    about = package.metadata.json
    expression = str(about.get("license_expression") or about.get("license") or "").strip()
    if "license_expression" in about or re.fullmatch(
        r"[\w.+-]+( (AND|OR|WITH) [\w.+-]+)+", expression
    ):
        return {part.strip(" ()") for part in re.split(r"\bAND\b|\bOR\b", expression)}
    classified = {
        text.rpartition(" :: ")[2]
        for text in about.get("classifier", ())
        if text.startswith("License ::")
    }
    return classified - {"OSI Approved"} or {expression}


def audit(packages: Iterable[Distribution]) -> int:
    """Ask for known vulnerabilities of exactly these versions, print what was found, and return the exit code."""
    pinned = sorted(f"{package.name}=={package.version.partition('+')[0]}" for package in packages)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("\n".join(pinned) + "\n")
        options = [
            "--requirement",
            str(file),
            "--no-deps",
            "--disable-pip",
            "--format",
            "json",
            "--progress-spinner",
            "off",
            "--timeout",
            "10",
        ]
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", *options],
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        why = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        print(
            f"Not audited, because the service of known vulnerabilities cannot be asked: {why[:200]}"
        )
        return 0
    faults = [
        (each["name"], each["version"], fault)
        for each in answer["dependencies"]
        for fault in each.get("vulns", ())
    ]
    for name, version, fault in faults:
        print(
            f"{name} {version}: {fault['id']}, mended in {', '.join(fault['fix_versions']) or 'no version yet'}"
        )
    skipped = [each["name"] for each in answer["dependencies"] if "skip_reason" in each]
    if len(skipped) == len(pinned):
        print(
            "Not audited, because the service of known vulnerabilities knows none of the packages: it was not the one that was asked."
        )
        return 0
    if skipped:
        print(f"Not audited, because nothing is known of them: {', '.join(sorted(skipped))}")
    print(
        f"{len(answer['dependencies']) - len(skipped)} packages audited, {len(faults)} known vulnerabilities."
    )
    return 1 if faults else 0


def _needed(requirements: Iterable[str]) -> list[str]:
    found = map(Requirement, requirements)
    return [
        _canonical(one.name)
        for one in found
        if one.marker is None or one.marker.evaluate({"extra": ""})
    ]


def _name(line: str) -> str:
    return _canonical(Requirement(line).name)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(audit(runtime()))
