"""Turns, and the cohort of a race at one worker; without processes."""

from __future__ import annotations

import os
import threading
from collections import Counter

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.execution.race import MOST_RIVALS, Cohort, race_of, waiting_rivals
from mnist_dash.runs.execution.trainer import Pace, Trainer, Word
from mnist_dash.runs.execution.turns import Turns
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.search.definition.race import race_of as define_race
from mnist_dash.search.definition.study_definition import canonical
from tests.runs.conftest import new_worker
from tests.waiting import wait_until


class Watched(Trainer):
    """A trainer without a process that notes its turns."""

    def __init__(self, going: Counter[str], name: str, n_threads: int) -> None:
        super().__init__()
        self._going, self._name, self._n = going, name, n_threads
        self.n_turns = 0

    def give_turn(self, has_turn: bool) -> None:  # noqa: FBT001
        """Note it."""
        if has_turn and not self._has_turn:
            self.n_turns += 1
        self._going[self._name] = self._n if has_turn else 0
        super().give_turn(has_turn)


def test_a_trainer_waits_for_its_turn_and_its_clock_with_it() -> None:
    """The question whether to stop is answered when the turn comes; the wait is no time of its own."""
    pace, answered = Pace(), threading.Event()
    before = pace.clock()

    def ask() -> None:
        pace()
        answered.set()

    thread = threading.Thread(target=ask)
    thread.start()
    assert not answered.wait(0.2)
    pace.tell(Word.GO)
    thread.join()
    assert pace.clock() - before < 0.15


def test_a_stop_needs_no_turn() -> None:
    """Who is asked to stop ends at once, and is not made to wait again; the next task begins with neither."""
    pace = Pace()
    pace.tell(Word.STOP)
    pace.tell(Word.WAIT)
    assert pace()
    pace.begin()
    pace.tell(Word.GO)
    assert not pace()


def test_turns_come_round_and_never_exceed_the_threads() -> None:
    """Three trainings of one thread and one of two share two threads; each has its turn again and again."""
    going: Counter[str] = Counter()
    turns, trainers = (
        Turns(2),
        [Watched(going, name, n) for name, n in (("a", 1), ("b", 1), ("c", 1), ("d", 2))],
    )
    with (
        turns.taken_by(trainers[0], 1),
        turns.taken_by(trainers[1], 1),
        turns.taken_by(trainers[2], 1),
        turns.taken_by(trainers[3], 2),
    ):
        wait_until(lambda: all(trainer.n_turns >= 3 for trainer in trainers), "three turns of each")
    assert max(going.values()) <= 2
    wait_until(
        lambda: all(trainer._has_turn for trainer in trainers),
        "the turn of whoever takes no part any more",
    )


def test_cohort_takes_along_who_waits_and_ends_with_the_last() -> None:
    """Never more than there is room for, each once, and none once the worker ends."""
    waiting = [f"run-{index}" for index in range(MOST_RIVALS + 3)]
    living, seen, most = set[str](), list[str](), 0
    lock, ended = threading.Lock(), threading.Event()

    def train(run: Run) -> None:
        nonlocal most
        with lock:
            living.add(str(run))
            seen.append(str(run))
            most = max(most, len(living))
        ended.wait(0.2)
        with lock:
            living.discard(str(run))

    Cohort(lambda: waiting.pop(0) if waiting else None, train, is_ending=lambda: False).go("first")  # type: ignore[arg-type,return-value]
    assert sorted(seen) == sorted(["first", *(f"run-{index}" for index in range(MOST_RIVALS + 3))])
    assert most == MOST_RIVALS
    waiting.append("late")
    Cohort(lambda: waiting.pop(0), train, is_ending=lambda: True).go("last")  # type: ignore[arg-type,return-value]
    assert waiting == ["late"]


def _trial(store: Store, study_id: str, number: int, config: RunConfig) -> str:
    run_id = run_actions.submit(store, config)
    with store.writing() as connection:
        connection.execute(
            schema.trial_runs.insert().values(
                study_id=study_id, number=number, seed=0, run_id=run_id
            )
        )
    return run_id


def test_rivals_are_the_queued_runs_of_the_same_race(store: Store) -> None:
    """In the order of trials; who has been claimed is none, and a study that is no race has none."""
    race = define_race(RunConfig(), "optimizer.learning_rate", "0.1, 0.01")
    with store.writing() as connection:
        for study_id, definition in (
            ("race", race),
            ("plain", race.model_copy(update={"race": False})),
        ):
            row = {
                "id": study_id,
                "name": study_id,
                "definition": canonical(definition),
                "state": "running",
                "created_at": 0.0,
            }
            connection.execute(schema.studies.insert().values(row))
    second, first = (
        _trial(store, "race", 1, RunConfig(seed=1)),
        _trial(store, "race", 0, RunConfig(seed=2)),
    )
    other, alone = (
        _trial(store, "plain", 0, RunConfig(seed=3)),
        run_actions.submit(store, RunConfig(seed=4)),
    )
    assert [race_of(store, run_id) for run_id in (first, other, alone)] == ["race", None, None]
    assert waiting_rivals(store, "race") == (Job(first, 1), Job(second, 1))
    new_worker(store, "worker-1", pid=os.getpid()).claim(Job(first, 1))
    assert waiting_rivals(store, "race") == (Job(second, 1),)
