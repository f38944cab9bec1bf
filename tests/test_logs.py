"""Lines of the log: what they are about, and no secret."""

from __future__ import annotations

import json
import logging

import pytest

from mnist_dash import logs
from mnist_dash.logs import LineFormatter
from mnist_dash.redaction import HIDDEN, guard_output, redact
from mnist_dash.settings import Settings


def line(
    formatter: LineFormatter, message: str, *arguments: object, error: Exception | None = None
) -> str:
    """Format one record."""
    info = None if error is None else (type(error), error, error.__traceback__)
    guard_output()
    return formatter.format(
        logging.getLogRecordFactory()(
            "mnist_dash.worker", logging.WARNING, __file__, 1, message, arguments, info
        )
    )


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "cannot open postgresql+psycopg://dash:hunter2@db.example.org/dash now",
        "GET /run?run=1a2b3c4d&token=abc.hunter2&view=errors",
        'Authorization: Bearer hunter2"',
        "cookie_secret = 'hunter2'",
        "connection failed: password=hunter2 host=db",
    ],
)
def test_secrets_in_texts_are_hidden(text: str, *, as_json: bool) -> None:
    """A URL's password, a share link's token, a bearer's token, a setting: whatever library wrote the line."""
    written = line(LineFormatter(as_json=as_json), "%s", text)
    assert "hunter2" not in written
    assert HIDDEN in written


@pytest.mark.parametrize("as_json", [False, True])
def test_tracebacks_have_no_secret(*, as_json: bool) -> None:
    """An error's own text is redacted as every line is, and the traceback is there."""
    written = line(
        LineFormatter(as_json=as_json), "tried", error=ValueError("password=hunter2 is wrong")
    )
    assert "hunter2" not in written
    assert "ValueError" in written


def test_settings_name_their_secrets() -> None:
    """The database's password as it stands in the URL and as it is meant, and the token; none of them in the settings' own text."""
    url = "postgresql+psycopg://dash:s3cret%2Fword@db/dash"
    settings = Settings.from_environment(
        {"MNIST_DASH_DATABASE_URL": url, "MNIST_DASH_METRICS_TOKEN": "metrics-tok"}
    )
    assert redact("s3cret%2Fword s3cret/word metrics-tok") == " ".join([HIDDEN] * 3)
    assert "metrics-tok" not in repr(settings)


def test_lines_say_which_run_and_attempt() -> None:
    """Within the block, in text and as fields of a JSON object, and not after it."""
    with logs.about(run="1a2b3c4d", attempt=2):
        assert "run=1a2b3c4d attempt=2" in line(LineFormatter(), "It works again.")
        told = json.loads(line(LineFormatter(as_json=True), "It works %s.", "again"))
    assert (told["run"], told["attempt"], told["message"], told["level"]) == (
        "1a2b3c4d",
        2,
        "It works again.",
        "WARNING",
    )
    assert "run=" not in line(LineFormatter(), "later")
