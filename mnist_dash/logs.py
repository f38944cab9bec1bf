"""How every process of MNIST Dash writes its log: one line an event, what it is about, and no secret.

`about` says what the lines within a block are about: a run and its attempt, a study. With `MNIST_DASH_LOG_FORMAT=json` a line is a JSON
object, for those who collect logs.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime

from mnist_dash.redaction import guard_output
from mnist_dash.settings import Settings

_about: ContextVar[dict[str, object]] = ContextVar("about", default={})  # noqa: B039 - never changed in place


@contextlib.contextmanager
def about(**facts: object) -> Iterator[None]:
    """Have the lines that this thread writes within the block say what they are about: ``run="1a2b", attempt=2``."""
    token = _about.set(_about.get() | facts)
    try:
        yield
    finally:
        _about.reset(token)


def set_up(settings: Settings) -> None:
    """Write this process's log to standard error, without secrets; handlers that libraries have set up write the same lines."""
    guard_output()
    logging.basicConfig(level=logging.INFO)
    formatter = LineFormatter(as_json=settings.log_json)
    loggers = [
        logging.getLogger(),
        *(
            logger
            for logger in logging.root.manager.loggerDict.values()
            if isinstance(logger, logging.Logger)
        ),
    ]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        handler.setFormatter(formatter)


class LineFormatter(logging.Formatter):
    """Writes a record as text or JSON, with what it is about."""

    def __init__(self, *, as_json: bool = False) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s%(about)s: %(message)s")
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; secrets are out of it already (`redaction.guard_output`)."""
        record.about = "".join(f" {name}={value}" for name, value in _about.get().items())
        return self._json(record) if self._as_json else super().format(record)

    def _json(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_about.get(),
        }
        if record.exc_text:
            line["traceback"] = record.exc_text
        return json.dumps(line, default=str)
