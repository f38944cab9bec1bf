"""Hosts of a network of their own, on this machine: each has an interface, a name and processes that no other sees.

A host is a network namespace (ip-netns(8)) at a bridge; what runs on it has a space of process ids and a host name of its own, as in a
container. Its cable can be pulled.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.conftest import kill_tree
from tests.source_tree import ROOT

NETWORK = "10.91.7"
"""First three bytes of the addresses; the bridge is .1."""


@dataclass(frozen=True)
class Host:
    """One host."""

    name: str
    namespace: str
    cable: str
    """The bridge's end of it."""

    def plug(self) -> None:
        """Put the cable in."""
        _ip("link", "set", self.cable, "up")

    def unplug(self) -> None:
        """Pull the cable: packets vanish, and nobody is told."""
        _ip("link", "set", self.cable, "down")

    def command(self, *arguments: str) -> list[str]:
        """Give the command line that runs Python with some arguments on this host."""
        inside = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts"]
        named = ["sh", "-c", 'hostname "$0" && exec "$@"', self.name]
        return ["ip", "netns", "exec", self.namespace, *inside, *named, sys.executable, *arguments]


class Network:
    """A bridge and its hosts."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self.hosts = tuple(hosts)
        self.address = f"{NETWORK}.1"
        self._stack = ExitStack()

    def start(
        self, host: Host, environment: dict[str, str], log: Path, *arguments: str
    ) -> subprocess.Popen[bytes]:
        """Start Python on a host; it is killed with all that it started when the network ends."""
        with log.open("ab") as file:
            process = subprocess.Popen(
                host.command(*arguments),
                env=os.environ | environment,
                cwd=ROOT,
                stdout=file,
                stderr=file,
            )
        self._stack.callback(_end, process)
        return process

    def close(self) -> None:
        """Kill what was started."""
        self._stack.close()


@contextmanager
def network(*names: str) -> Iterator[Network]:
    """Set a network up; the test is skipped where this user may not, or the programs are not there."""
    missing = [
        program for program in ("ip", "unshare", "hostname") if shutil.which(program) is None
    ]
    if missing or os.geteuid() != 0:
        why = (
            f"{', '.join(missing)} not found (`apt-get install iproute2 util-linux hostname`)"
            if missing
            else "needs root"
        )
        pytest.skip(f"NOT TESTED: several hosts in network namespaces: {why}")
    token = secrets.token_hex(2)
    bridge = f"md{token}"
    hosts = [
        Host(name, f"md{token}-{name}", f"md{token}p{index}") for index, name in enumerate(names)
    ]
    with ExitStack() as stack:
        try:
            _ip("link", "add", bridge, "type", "bridge")
        except subprocess.CalledProcessError:
            pytest.skip(
                "NOT TESTED: several hosts in network namespaces: this machine lets nobody make a bridge"
            )
        stack.callback(_ip, "link", "delete", bridge)
        _ip("address", "add", f"{NETWORK}.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for index, host in enumerate(hosts):
            _ip("netns", "add", host.namespace)
            stack.callback(_ip, "netns", "delete", host.namespace)
            _ip(
                "link",
                "add",
                host.cable,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                host.namespace,
            )
            # A namespace goes later than its name.
            stack.callback(_ip, "link", "delete", host.cable)
            _ip("link", "set", host.cable, "master", bridge, "up")
            _ip("-n", host.namespace, "address", "add", f"{NETWORK}.{index + 2}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", host.namespace, "link", "set", device, "up")
        made = Network(hosts)
        stack.callback(made.close)
        yield made


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    kill_tree(process.pid)
    process.wait()
