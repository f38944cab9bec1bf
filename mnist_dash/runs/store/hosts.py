"""Who trains where: the living workers by host and device, and the queued runs that none of them can take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mnist_dash.core.hardware.devices import DeviceKind
from mnist_dash.runs.store.engine import QUEUES
from mnist_dash.runs.store.records import Worker
from mnist_dash.runs.store.run_store import Store
from mnist_dash.text import plural

NOBODY = "No worker is alive. Start one with `mnist-dash worker`."
_WITHOUT: dict[DeviceKind, str] = {
    "cuda": "It is queued for a GPU, and no living worker has one. Start `mnist-dash worker` on a machine with a GPU.",
    "cpu": "It is queued for the CPU, and no living worker trains there. Start one with `mnist-dash worker --device cpu`.",
}


@dataclass(frozen=True)
class Host:
    """The workers of one host on one kind of device."""

    name: str
    device: str
    n_slots: int
    """Runs that it can train at a time: one a worker."""
    n_threads: int
    n_running: int

    def __str__(self) -> str:
        return (
            f"{self.name} ({plural(self.n_slots, f'{self.device} slot')}, "
            f"{plural(self.n_threads, 'thread')}, {self.n_running} in training)"
        )


def hosts(workers: Iterable[Worker]) -> list[Host]:
    """Count the living workers by host and device, in the order of their names."""
    alive = [worker for worker in workers if worker.state != "gone"]
    found = []
    for name, device in sorted({(worker.host, worker.device) for worker in alive}):
        own = [worker for worker in alive if (worker.host, worker.device) == (name, device)]
        n_running = sum(worker.state == "running" for worker in own)
        found.append(
            Host(name, device, len(own), sum(worker.n_threads for worker in own), n_running)
        )
    return found


def blocked(store: Store, workers: Sequence[Worker] | None = None) -> dict[str, str]:
    """Name the queued runs that no living worker can take, each with a sentence that says why and what to do.

    Args:
        store: the store.
        workers: those of `store.workers`, where the caller has just read them.
    """
    devices = {
        worker.device
        for worker in (store.workers() if workers is None else workers)
        if worker.state != "gone"
    }
    found: dict[str, str] = {}
    for device in QUEUES:
        if device not in devices:
            sentence = _WITHOUT[device] if devices else NOBODY
            found |= {job.run_id: sentence for job in store.queue_client.waiting(device)}
    return found
