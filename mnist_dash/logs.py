"""How every process of MNIST Dash writes its log: one line an event, what it is about, and no secret.

`about` says what the lines within a block are about: a run and its attempt, a study. With `MNIST_DASH_LOG_FORMAT=json` a line is a JSON
object, for those who collect logs.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from mnist_dash.settings import Settings

HIDDEN = "***"
_about: ContextVar[dict[str, object]] = ContextVar("about", default={})  # noqa: B039 - never changed in place
_PATTERNS = (
    re.compile(r"(?<=://)([^\s:/@]*:)[^\s/]+(?=@)"),  # a URL's password
    re.compile(r"(?i)\b((?:token|password|cookie_secret|client_secret)[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;)]+"),
    re.compile(r"(?i)\b(bearer\s+)[^\s\"',;)]+"),
)
"""What stands before a secret, and the secret itself, in whatever text: an address with a share link's token, a driver's complaint."""


@contextlib.contextmanager
def about(**facts: object) -> Iterator[None]:
    """Have the lines that this thread writes within the block say what they are about: ``run="1a2b", attempt=2``."""
    token = _about.set(_about.get() | facts)
    try:
        yield
    finally:
        _about.reset(token)


def set_up(settings: Settings) -> None:
    """Write this process's log to standard error; handlers that libraries have set up keep their place and write the same lines."""
    logging.basicConfig(level=logging.INFO)
    formatter = LineFormatter(as_json=settings.log_json, secrets=_secrets(settings))
    loggers = [logging.getLogger(), *(logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger))]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        handler.setFormatter(formatter)


class LineFormatter(logging.Formatter):
    """Writes a record as text or JSON, with what it is about and without secrets."""

    def __init__(self, *, as_json: bool = False, secrets: tuple[str, ...] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s%(about)s: %(message)s")
        self._as_json = as_json
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; what libraries put into it, a traceback's texts included, is hidden where it is a secret."""
        record.about = "".join(f" {name}={value}" for name, value in _about.get().items())
        return self._without_secrets(self._json(record) if self._as_json else super().format(record))

    def _json(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_about.get(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps({name: self._without_secrets(value) if isinstance(value, str) else value for name, value in line.items()})

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\g<1>{HIDDEN}", text)
        return text


def _secrets(settings: Settings) -> tuple[str, ...]:
    """List the secrets that this process knows: each is hidden wherever it stands."""
    password = urlsplit(settings.database_url).password or ""
    return tuple(secret for secret in (password, unquote(password), settings.metrics_token) if secret)
