"""What must never be read by others is taken out of every text that leaves a process: logs, messages, pages and exports.

One function, `redact`, knows what a secret looks like: the password of a URL, a value that is called a password or a secret, the token of
a share link; and what the secrets of this process are, once they have been named by `keep_secret`.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

HIDDEN = "***"
LEAST_LENGTH = 8
"""Shorter secrets are hidden where a URL or a name says what they are, and not in every word that has them."""
_URL_PASSWORD = re.compile(
    r"(?P<before>\b[a-z][a-z0-9+.\-]*://[^\s:/?#\"'@]*:)[^\s\"']*(?=@)", re.IGNORECASE
)
"""Up to the last ``@`` of the word, since a password that was not percent-encoded may have some itself."""
_NAMED = re.compile(
    r"(?P<name>[\w-]*(?:password|passwd|secret|api_?key)[\"']?\s*[=:]\s*)(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s,;)}\]\"']+)",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"\b(?P<link>[0-9a-f]{16})\.[\w-]{43}(?![\w-])")
"""A share link's: the id says which link it is and opens nothing."""
_BEARER = re.compile(
    r"(?P<before>\b(?:bearer\s+|token=))(?![0-9a-f]{16}\.\*{3})[^\s&\"',;)]+", re.IGNORECASE
)
"""What a request's header or an address carries, but for a share link's token that is hidden already."""
_kept: set[str] = set()
_lock = threading.Lock()


def keep_secret(*values: str | None) -> None:
    """Name secrets of this process that no text of it may have."""
    with _lock:
        _kept.update(value for value in values if value and len(value) >= LEAST_LENGTH)


def keep_url_secret(url: str) -> None:
    """Name what is secret in a database's URL: its password, as it is written and as it is meant, also as a parameter of the query."""
    found = _URL_PASSWORD.search(url)
    if found is not None:
        written = found.group(0)[len(found.group("before")) :]
        keep_secret(written, unquote(written))
    for part in urlsplit(url).query.split("&") if "?" in url else ():
        name, _, value = part.partition("=")
        if name.lower() in ("password", "passfile", "sslpassword"):
            keep_secret(value, unquote(value))


def redact(text: str) -> str:
    """Take the secrets out of a text; everything else stays as it is."""
    for value in sorted(_kept, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    text = _URL_PASSWORD.sub(rf"\g<before>{HIDDEN}", text)
    text = _NAMED.sub(rf"\g<name>{HIDDEN}", text)
    text = _TOKEN.sub(rf"\g<link>.{HIDDEN}", text)
    return _BEARER.sub(rf"\g<before>{HIDDEN}", text)


def guard_output() -> None:
    """Redact every record that this process logs, whichever library writes it, and the traceback that it may end with."""
    factory = logging.getLogRecordFactory()
    if factory.__module__ == __name__:
        return  # it guards already

    def redacted(*arguments: Any, **named: Any) -> logging.LogRecord:  # noqa: ANN401 - as `logging` gives them
        record = factory(*arguments, **named)
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = redact(
                "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            )
            record.exc_info = None  # a formatter of its own would write it anew
        return record

    logging.setLogRecordFactory(redacted)
    sys.excepthook = _print
    threading.excepthook = _print_of_thread


def _print(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))


def _print_of_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is not None and not isinstance(arguments.exc_value, SystemExit):
        _print(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
