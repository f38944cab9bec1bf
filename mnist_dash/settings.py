"""Where things lie and how much of the machine may be used, from the environment.

| variable | meaning | default |
|---|---|---|
| MNIST_DASH_HOME | folder of the database, artifacts and locks | the platform's user data folder |
| MNIST_DASH_DATA_DIR | folder of the data sets | HOME/data |
| MNIST_DASH_DATABASE_URL | SQLAlchemy URL of the store | a SQLite file in HOME |
| MNIST_DASH_ARTIFACT_DIR | folder of weights, checkpoints and probabilities | HOME/artifacts |
| MNIST_DASH_ARTIFACTS_LOST | 1: files that the database names and that are not in that folder are given up | 0 |
| MNIST_DASH_WORKERS | local workers that the dashboard starts; 0 for none | 1, or one a GPU |
| MNIST_DASH_THREADS | CPU threads of all local workers together | the cores this process may use |
| MNIST_DASH_LEASE_SECONDS | silence after which a worker's run is given to another | 10 |
| MNIST_DASH_MAX_ATTEMPTS | deaths of its worker after which a run is failed | 5 |
| MNIST_DASH_READ_ONLY | 1: everybody on the server only looks on, and it starts no worker | 0 |
| MNIST_DASH_ADMINS, _EDITORS, _VIEWERS | who has the role: e-mails or @domains, separated by commas | nobody |
| MNIST_DASH_VISITORS | what those without a role are: viewer or nobody | nobody |
| MNIST_DASH_TRUST_EMAILS | 1: the sign-in does not say whether it has verified an e-mail, and is believed | 0 |
| MNIST_DASH_ALLOW_UNAUTHENTICATED | 1: whoever reaches a server without sign-in is an editor | 0 |
| MNIST_DASH_FRAME_ANCESTORS | origins whose pages may show the dashboard in a frame, separated by commas | none but its own |
| MNIST_DASH_METRICS_TOKEN | what a request from elsewhere must send to read /metrics | nobody elsewhere may |
| MNIST_DASH_LOG_FORMAT | text, or json: a JSON object a line | text |
| MNIST_DASH_MAX_QUEUED | runs of one person that may wait at a time | no limit |
| MNIST_DASH_MAX_RUNNING | runs of one person that may be in training when another is submitted | no limit |
| MNIST_DASH_MAX_TRIALS | trials that one person's studies may still have to do | no limit |
| MNIST_DASH_MAX_WORK | epochs times parameters of a run | no limit |
| MNIST_DASH_MAX_LINK_SESSIONS | sessions that may look at one share link at a time | 50 |
| MNIST_DASH_MAX_LINK_EXPORTS | files that one share link's visitors may have made within a minute | 10 |
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from mnist_dash.errors import InvalidInput
from mnist_dash.redaction import keep_secret, keep_url_secret
from mnist_dash.text import did_you_mean, listed, parse_number

DATABASE_FILE = "mnist_dash.db"
MIN_FREE_BYTES = 200 * 2**20
"""Room below which no run is accepted: a checkpoint of the largest network with Adam's moments fits."""
_WHO = re.compile(r"[^@\s,]*@[^@\s,]+")
"""An e-mail, or a domain with its @."""
_ORIGIN = re.compile(r"https?://(\*\.)?[A-Za-z0-9.-]+(:\d+)?")
"""A scheme, a host and perhaps a port, as a Content-Security-Policy names them."""


@dataclass(frozen=True)
class Access:
    """Who may use a server, and as what; nobody is asked on a machine of one's own."""

    read_only: bool = False
    """Everybody looks on, and nothing is started."""
    admins: tuple[str, ...] = ()
    """E-mails and @domains, in lower case."""
    editors: tuple[str, ...] = ()
    viewers: tuple[str, ...] = ()
    visitors_look: bool = False
    """Whether those without a role may look on."""
    trust_emails: bool = False
    """Whether an e-mail counts of which the sign-in does not say that it is verified."""
    allow_unauthenticated: bool = False
    """Whether whoever reaches a server without sign-in may edit."""
    link_sessions: int = 50
    """Sessions that may look at one share link at a time."""
    link_exports: int = 10
    """Files that the visitors of one share link may have made within a minute."""


@dataclass(frozen=True)
class Quotas:
    """How much one signed-in person may have at a time; None for no limit. Admins have none."""

    queued: int | None = None
    """Runs that wait."""
    running: int | None = None
    """Runs in training, when another one is submitted."""
    trials: int | None = None
    """Trials that the person's studies still have to do."""
    work: int | None = None
    """Epochs times parameters of a run."""


@dataclass(frozen=True)
class Settings:
    """Paths and limits of one installation; build it once, pass it on."""

    home: Path
    data_dir: Path
    artifact_dir: Path
    database_url: str = field(repr=False)
    """May have a password in it: what is shown of it goes through `mnist_dash.redaction.redact`."""
    n_workers: int
    n_threads: int
    lease_seconds: float = 10.0
    max_attempts: int = 5
    min_free_bytes: int = MIN_FREE_BYTES
    artifacts_are_lost: bool = False
    """Whether the artifact folder is taken whatever it lacks."""
    access: Access = Access()
    quotas: Quotas = Quotas()
    frame_ancestors: tuple[str, ...] = ()
    """Origins whose pages may show the dashboard in a frame, beside its own."""
    metrics_token: str = field(default="", repr=False)
    """What lets a request from elsewhere read the metrics; empty where nothing does."""
    log_json: bool = False
    """Whether a line of the log is a JSON object."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from environment variables, ``os.environ`` by default.

        Raises:
            InvalidInput: a number is not one, or is out of bounds; a person is no e-mail; a word is unknown.
        """
        env = os.environ if environment is None else environment
        home = (
            Path(
                env.get("MNIST_DASH_HOME")
                or platformdirs.user_data_dir("mnist-dash", appauthor=False)
            )
            .expanduser()
            .absolute()
        )
        return cls(
            home=home,
            data_dir=Path(env.get("MNIST_DASH_DATA_DIR") or home / "data").expanduser().absolute(),
            artifact_dir=Path(env.get("MNIST_DASH_ARTIFACT_DIR") or home / "artifacts")
            .expanduser()
            .absolute(),
            database_url=_database_url(env) or f"sqlite:///{home / DATABASE_FILE}",
            n_workers=int(_number(env, "MNIST_DASH_WORKERS", default=-1, low=0, high=256)),
            n_threads=int(
                _number(
                    env,
                    "MNIST_DASH_THREADS",
                    default=len(os.sched_getaffinity(0)),
                    low=1,
                    high=1024,
                )
            ),
            lease_seconds=_number(env, "MNIST_DASH_LEASE_SECONDS", default=10.0, low=1, high=3600),
            max_attempts=int(_number(env, "MNIST_DASH_MAX_ATTEMPTS", default=5, low=1, high=100)),
            artifacts_are_lost=_flag(env, "MNIST_DASH_ARTIFACTS_LOST"),
            access=Access(
                read_only=_flag(env, "MNIST_DASH_READ_ONLY"),
                admins=_people(env, "MNIST_DASH_ADMINS"),
                editors=_people(env, "MNIST_DASH_EDITORS"),
                viewers=_people(env, "MNIST_DASH_VIEWERS"),
                visitors_look=_word(env, "MNIST_DASH_VISITORS", {"nobody": False, "viewer": True}),
                trust_emails=_flag(env, "MNIST_DASH_TRUST_EMAILS"),
                allow_unauthenticated=_flag(env, "MNIST_DASH_ALLOW_UNAUTHENTICATED"),
                link_sessions=int(
                    _number(env, "MNIST_DASH_MAX_LINK_SESSIONS", default=50, low=1, high=1e6)
                ),
                link_exports=int(
                    _number(env, "MNIST_DASH_MAX_LINK_EXPORTS", default=10, low=0, high=1e6)
                ),
            ),
            quotas=Quotas(
                queued=_limit(env, "MNIST_DASH_MAX_QUEUED"),
                running=_limit(env, "MNIST_DASH_MAX_RUNNING"),
                trials=_limit(env, "MNIST_DASH_MAX_TRIALS"),
                work=_limit(env, "MNIST_DASH_MAX_WORK"),
            ),
            frame_ancestors=_origins(env, "MNIST_DASH_FRAME_ANCESTORS"),
            metrics_token=_metrics_token(env),
            log_json=_word(env, "MNIST_DASH_LOG_FORMAT", {"text": False, "json": True}),
        )

    @property
    def keeps_workers(self) -> bool:
        """Whether the dashboard keeps workers of its own."""
        return self.n_workers != 0 and not self.access.read_only

    @property
    def is_sqlite(self) -> bool:
        """Whether the store is one file on this machine."""
        return self.database_url.startswith("sqlite")


def _number(env: Mapping[str, str], name: str, *, default: float, low: float, high: float) -> float:
    text = env.get(name, "").strip()
    if not text:
        return default
    value = parse_number(text)
    if value is None or not low <= value <= high:
        raise InvalidInput(
            f"{name}: {_fault(text, value, low)} ({low:,g} to {high:,g}). Correct the variable, or unset it."
        )
    return value


def _fault(text: str, value: float | None, low: float) -> str:
    if value is None or value != value:  # noqa: PLR0124 - that is how nan is told
        return f"{text!r} is no number"
    return f"{text} is too {'small' if value < low else 'large'}"


def _database_url(env: Mapping[str, str]) -> str:
    url = env.get("MNIST_DASH_DATABASE_URL", "").strip()
    keep_url_secret(url)
    return url


def _metrics_token(env: Mapping[str, str]) -> str:
    token = env.get("MNIST_DASH_METRICS_TOKEN", "").strip()
    keep_secret(token)
    return token


def _limit(env: Mapping[str, str], name: str) -> int | None:
    return int(_number(env, name, default=0, low=1, high=1e15)) or None


def _word(env: Mapping[str, str], name: str, words: Mapping[str, bool]) -> bool:
    """Read one of a few words; the first is meant where nothing is said."""
    text = env.get(name, "").strip().lower() or next(iter(words))
    if text not in words:
        raise InvalidInput(
            f"{name}: {text!r} is not known ({listed(words)}). {did_you_mean(text, words) or 'Correct the variable, or unset it.'}"
        )
    return words[text]


def _flag(env: Mapping[str, str], name: str) -> bool:
    return _word(env, name, {"0": False, "1": True, "false": False, "true": True})


def _origins(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    found = tuple(part for part in re.split(r"[\s,;]+", env.get(name, "")) if part)
    wrong = [part for part in found if not _ORIGIN.fullmatch(part)]
    if wrong:
        raise InvalidInput(
            f"{name}: {wrong[0]!r} is no origin. Write https://course.example.org, separated by commas."
        )
    return found


def _people(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    found = tuple(part for part in re.split(r"[\s,;]+", env.get(name, "").lower()) if part)
    wrong = [part for part in found if not _WHO.fullmatch(part)]
    if wrong:
        raise InvalidInput(
            f"{name}: {wrong[0]!r} is neither an e-mail nor a @domain. Write ann@example.org or @example.org, separated by commas."
        )
    return found
