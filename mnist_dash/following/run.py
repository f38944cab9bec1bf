"""A run that is followed to its end."""

from __future__ import annotations

from mnist_dash.following.view import View
from mnist_dash.following.worker_start import WorkerStarter
from mnist_dash.formatting import duration, percent
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState


class FollowedRun:
    """A run, read again whenever it changed; starts a worker where none is alive."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._starter = WorkerStarter(store)
        self._revision = -1
        self._told: set[tuple[RunState, int]] = set()
        self.run = store.run(run_id)

    @property
    def title(self) -> str:
        """The run by its id."""
        return f"run {self.run.id}"

    @property
    def has_ended(self) -> bool:
        """Whether its state is final."""
        return self.run.state.is_terminal

    def look(self) -> View | None:
        """Read the run if it changed."""
        revision = self._store.run_revision(self.run.id)
        if revision == self._revision:
            return None
        self._revision, self.run = revision, self._store.run(self.run.id)
        return View(_description(self.run), self.run.progress, lines=self._news())

    def tend(self) -> None:
        """Start a worker where none is alive."""
        self._starter.ensure()

    def stop(self) -> None:
        """Stop the run."""
        run_actions.stop(self._store, self.run.id)

    def _news(self) -> tuple[str, ...]:
        run, now = self.run, (self.run.state, self.run.epoch)
        if now in self._told or run.state.is_terminal:
            return ()
        self._told.add(now)
        if run.epoch:
            return (
                f"run {run.id}: epoch {run.epoch}/{run.config.epochs}: validation accuracy {percent(run.last_val_accuracy)}",
            )
        return (f"run {run.id}: {run.state}{f' on {run.worker}' if run.worker else ''}",)


def _description(run: Run) -> str:
    epochs = run.config.epochs
    parts = [
        f"{100 * run.progress:.0f} % of run {run.id}, {run.state}",
        f"epoch {min(run.epoch + 1, epochs)} of {epochs}",
    ]
    if run.last_val_accuracy is not None:
        parts.append(f"validation accuracy {percent(run.last_val_accuracy)}")
    if run.seconds_left is not None:
        parts.append(f"{duration(run.seconds_left)} left")
    return ", ".join(parts)
