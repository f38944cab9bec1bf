"""`/metrics`: the store and this server in Prometheus' text format, for the owner at this machine or whoever has the token."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mnist_dash.core.hardware.devices import gpu_names
from mnist_dash.errors import MnistDashError
from mnist_dash.runs.execution.supervisor import slots
from mnist_dash.runs.query.operations import Operations, operations
from mnist_dash.runs.store.database_errors import failures
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.studies.records import StudyState
from mnist_dash.settings import Settings
from mnist_dash.ui.app import admission, resources
from mnist_dash.ui.server import sessions

MEMORY_SECONDS = 1.0
"""For so long an answer is given again, whoever asks how often."""
log = logging.getLogger("mnist_dash.server")


async def metrics(request: Request) -> Response:
    """Give the metrics; 401 without the right token, 403 where no token is set and the request is not the owner's."""
    try:
        settings = admission.settings()
    except MnistDashError as error:
        log.warning("No metrics: %s", error)
        return PlainTextResponse(
            "A setting is not valid; the server's log says which.\n", status_code=503
        )
    if not (_has_token(request, settings) or _is_owners(request)):
        if settings.metrics_token:
            return PlainTextResponse(
                "Send the token: Authorization: Bearer TOKEN.\n",
                401,
                headers={"WWW-Authenticate": "Bearer"},
            )
        return PlainTextResponse(
            "Ask at the server's own machine, or set MNIST_DASH_METRICS_TOKEN and send it.\n", 403
        )
    return Response(await asyncio.to_thread(_answer.text, settings), media_type=CONTENT_TYPE_LATEST)


def _has_token(request: Request, settings: Settings) -> bool:
    kind, _, sent = request.headers.get("Authorization", "").partition(" ")
    wanted = settings.metrics_token
    return (
        bool(wanted)
        and kind.lower() == "bearer"
        and secrets.compare_digest(sent.strip().encode(), wanted.encode())
    )


def _is_owners(request: Request) -> bool:
    """Say whether a request was made at this machine, without a proxy and to its own name; where there is a sign-in it is nobody's."""
    address = request.client.host if request.client else None
    is_here = admission.is_loopback(address) and admission.is_loopback(request.url.hostname)
    return is_here and admission.is_direct(request.headers) and not admission.providers()


class _Answer:
    """The last answer, kept for a moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made_at = float("-inf")
        self._text = b""

    def text(self, settings: Settings) -> bytes:
        """Give the text, made anew where it is older than `MEMORY_SECONDS`."""
        with self._lock:
            if time.monotonic() - self._made_at > MEMORY_SECONDS:
                registry = CollectorRegistry()
                registry.register(_Store(settings))
                ProcessCollector(registry=registry)
                self._text, self._made_at = generate_latest(registry), time.monotonic()
            return self._text


class _Store(Collector):
    """What the store and this server tell."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        """Give every metric; of the store only that it is down where it does not answer."""
        try:
            found = operations(resources.shared_store(self._settings))
        except MnistDashError as error:
            log.warning("The store gives no metrics: %s", error)
            found = None
        yield _gauge(
            "mnist_dash_store_up", "Whether the database answers.", 0 if found is None else 1
        )
        yield _gauge("mnist_dash_sessions", "Open tabs of this server.", sessions.count())
        kinds = CounterMetricFamily(
            "mnist_dash_database_failures",
            "Failed uses of the database by this server.",
            labels=["kind"],
        )
        for kind, count in sorted(failures().items()):
            kinds.add_metric([kind], count)
        yield kinds
        yield from _slots(self._settings)
        if found is not None:
            yield from _of_store(found)


def _of_store(found: Operations) -> Iterator[Metric]:
    yield _by(
        "mnist_dash_runs",
        "Runs, those in the bin included.",
        "state",
        dict.fromkeys(map(str, RunState), 0) | found.runs,
    )
    yield _by(
        "mnist_dash_studies",
        "Studies.",
        "state",
        dict.fromkeys(map(str, StudyState), 0) | found.studies,
    )
    yield _gauge(
        "mnist_dash_queue_oldest_seconds",
        "Age of the oldest queued run.",
        found.oldest_queued_seconds,
    )
    yield _by(
        "mnist_dash_queue_wait_seconds",
        "Wait in the queue of the newest 200 runs that started.",
        "quantile",
        found.queue_waits,
    )
    yield _gauge(
        "mnist_dash_runs_waiting",
        "Runs in training that wait for a database or a disk.",
        found.waiting_runs,
    )
    yield _gauge(
        "mnist_dash_epochs_per_second",
        "Epochs per second of all runs in training.",
        found.epochs_per_second,
    )
    yield _gauge(
        "mnist_dash_images_per_second",
        "Training images per second of all runs in training.",
        found.images_per_second,
    )
    workers = GaugeMetricFamily(
        "mnist_dash_workers", "Workers that are alive.", labels=["device", "state"]
    )
    for (device, state), count in sorted(found.workers.items()):
        workers.add_metric([device, state], count)
    yield workers


def _slots(settings: Settings) -> Iterator[Metric]:
    """Tell how many workers this server keeps, by device."""
    kept = slots(settings, gpu_names()) if settings.keeps_workers else []
    counts = {device: sum(slot.device == device for slot in kept) for device in ("cpu", "cuda")}
    yield _by("mnist_dash_slots", "Workers that this server keeps.", "device", counts)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _by(name: str, text: str, label: str, values: dict[str, int] | dict[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


_answer = _Answer()
