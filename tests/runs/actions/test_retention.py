"""Files of ended runs go by age, size and star; everything else of a run stays."""

from __future__ import annotations

import os

import pytest

from mnist_dash.cli import main
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import ArtifactError, InvalidInput
from mnist_dash.runs.actions import retention, run_actions, run_annotations
from mnist_dash.runs.actions.retention import Rule
from mnist_dash.runs.execution.worker_records import Outcome
from mnist_dash.runs.store import artifacts, events, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.engine import Job
from mnist_dash.runs.store.events import EventKind
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.schema import now
from mnist_dash.runs.store.states import RunState
from tests.runs.conftest import new_worker

SIZE = 1000


def ended(store: Store, *, days: float, child_of: str | None = None) -> str:
    """Play a run that ended so many days ago and left weights of `SIZE` bytes."""
    records = new_worker(store, f"worker {days}", pid=os.getpid())
    run = records.claim(Job(run_actions.submit(store, RunConfig(epochs=1)), 1))
    assert run is not None
    weights = artifacts.write(store.settings, run.id, ArtifactKind.WEIGHTS, b"w" * SIZE)
    records.finish(run, Outcome(RunState.FINISHED), files={ArtifactKind.WEIGHTS: weights})
    with store.writing() as connection:
        runs = schema.runs
        connection.execute(
            runs.update()
            .where(runs.c.id == run.id)
            .values(ended_at=now() - days * 86_400, parent_id=child_of)
        )
    return run.id


def ids(store: Store, rule: Rule) -> list[str]:
    """Name the runs that a rule would clear."""
    return [candidate.run_id for candidate in retention.preview(store, rule)]


def test_rules_by_age_size_and_star(store: Store) -> None:
    """The oldest first; starred runs stay and count; what is open or in the bin is left alone."""
    old, starred, new = (ended(store, days=days) for days in (100, 95, 1))
    run_annotations.star(store, [starred])
    assert ids(store, Rule(older_than_days=90)) == [old]
    assert ids(store, Rule(older_than_days=90, keep_starred=False)) == [old, starred]
    assert ids(store, Rule(max_bytes=2 * SIZE)) == [old]
    assert ids(store, Rule(max_bytes=0)) == [old, new]
    assert ids(store, Rule(older_than_days=365, max_bytes=3 * SIZE)) == []
    store.mark_deleted([old], deleted=True)
    assert ids(store, Rule(older_than_days=90)) == []
    with pytest.raises(InvalidInput, match="neither an age nor a size"):
        retention.preview(store, Rule())


def test_applied_rule_removes_files_alone(store: Store) -> None:
    """Row and history are as they were, the run says what went and why, and the file is off the disk; again there is nothing to do."""
    run_id, other = ended(store, days=100), ended(store, days=1)
    before, rule = store.run(run_id), Rule(older_than_days=90)
    assert [one.run_id for one in retention.apply(store, rule, retention.preview(store, rule))] == [
        run_id
    ]
    after = store.run(run_id)
    assert (after.state, after.config, after.epoch) == (before.state, before.config, before.epoch)
    assert after.revision > before.revision
    with pytest.raises(ArtifactError):
        artifacts.read(store, run_id, ArtifactKind.WEIGHTS)
    assert len([*store.settings.artifact_dir.rglob("*.safetensors")]) == 1
    assert artifacts.has(store, other, ArtifactKind.WEIGHTS)
    (event,) = [
        event for event in events.events_of(store, run_id) if event.kind is EventKind.CLEARED
    ]
    assert event.sentence.startswith(
        "1 artifact removed (1.0 kB) by the rule: older than 90 days, starred runs kept."
    )
    assert ids(store, rule) == []


def test_what_changed_since_the_preview_stays(store: Store) -> None:
    """A run that was starred meanwhile, or that another one goes on from, keeps its files."""
    starred, parent = ended(store, days=100), ended(store, days=99)
    rule = Rule(older_than_days=90)
    found = retention.preview(store, rule)
    assert len(found) == 2
    run_annotations.star(store, [starred])
    child = run_actions.submit(store, RunConfig(epochs=2))
    with store.writing() as connection:
        connection.execute(
            schema.runs.update().where(schema.runs.c.id == child).values(parent_id=parent)
        )
    assert retention.apply(store, rule, found) == ()
    assert artifacts.has(store, parent, ArtifactKind.WEIGHTS)


def test_command_shows_before_it_acts(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A preview changes nothing and says how to act; an age that is none is a sentence."""
    monkeypatch.setenv("MNIST_DASH_HOME", str(store.settings.home))
    monkeypatch.setenv("MNIST_DASH_DATABASE_URL", store.settings.database_url)
    run_id = ended(store, days=100)
    assert main(["retention", "--older-than", "12w"]) == 0
    said = capsys.readouterr()
    assert run_id in said.out
    assert "would be removed" in said.err
    assert "Add --apply" in said.err
    assert artifacts.has(store, run_id, ArtifactKind.WEIGHTS)
    assert main(["retention", "--older-than", "90d", "--apply"]) == 0
    assert "1 file of 1 run, 1.0 kB, removed." in capsys.readouterr().err
    assert not artifacts.has(store, run_id, ArtifactKind.WEIGHTS)
    assert main(["retention", "--older-than", "soon"]) == 2
    assert "'soon' is no age" in capsys.readouterr().err
    assert main(["retention"]) == 2
