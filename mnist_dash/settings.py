"""Where things lie and how much of the machine may be used, from the environment.

| variable | meaning | default |
|---|---|---|
| MNIST_DASH_HOME | folder of the database, artifacts and locks | the platform's user data folder |
| MNIST_DASH_DATA_DIR | folder of the data sets | HOME/data |
| MNIST_DASH_DATABASE_URL | SQLAlchemy URL of the store | a SQLite file in HOME |
| MNIST_DASH_ARTIFACT_DIR | folder of weights, checkpoints and probabilities | HOME/artifacts |
| MNIST_DASH_WORKERS | local workers that the dashboard starts; 0 for none | 1, or one a GPU |
| MNIST_DASH_THREADS | CPU threads of all local workers together | the cores this process may use |
| MNIST_DASH_LEASE_SECONDS | silence after which a worker's run is given to another | 10 |
| MNIST_DASH_MAX_ATTEMPTS | deaths of its worker after which a run is failed | 5 |
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from mnist_dash.errors import InvalidInput

DATABASE_FILE = "mnist_dash.db"
MIN_FREE_BYTES = 200 * 2**20
"""Room below which no run is accepted: a checkpoint of the largest network with Adam's moments fits."""


@dataclass(frozen=True)
class Settings:
    """Paths and limits of one installation; build it once, pass it on."""

    home: Path
    data_dir: Path
    artifact_dir: Path
    database_url: str
    n_workers: int
    n_threads: int
    lease_seconds: float = 10.0
    max_attempts: int = 5
    min_free_bytes: int = MIN_FREE_BYTES

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from environment variables, ``os.environ`` by default.

        Raises:
            InvalidInput: a number is not one, or is out of bounds.
        """
        env = os.environ if environment is None else environment
        home = Path(env.get("MNIST_DASH_HOME") or platformdirs.user_data_dir("mnist-dash", appauthor=False)).expanduser().absolute()
        return cls(
            home=home,
            data_dir=Path(env.get("MNIST_DASH_DATA_DIR") or home / "data").expanduser().absolute(),
            artifact_dir=Path(env.get("MNIST_DASH_ARTIFACT_DIR") or home / "artifacts").expanduser().absolute(),
            database_url=env.get("MNIST_DASH_DATABASE_URL") or f"sqlite:///{home / DATABASE_FILE}",
            n_workers=int(_number(env, "MNIST_DASH_WORKERS", default=-1, low=0, high=256)),
            n_threads=int(_number(env, "MNIST_DASH_THREADS", default=len(os.sched_getaffinity(0)), low=1, high=1024)),
            lease_seconds=_number(env, "MNIST_DASH_LEASE_SECONDS", default=10.0, low=1, high=3600),
            max_attempts=int(_number(env, "MNIST_DASH_MAX_ATTEMPTS", default=5, low=1, high=100)),
        )

    @property
    def is_sqlite(self) -> bool:
        """Whether the store is one file on this machine."""
        return self.database_url.startswith("sqlite")


def _number(env: Mapping[str, str], name: str, *, default: float, low: float, high: float) -> float:
    text = env.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise InvalidInput(f"{name}: a number from {low:g} to {high:g}; got {text!r}. Correct the variable, or unset it.")
    return value
