"""Every action by every role: who may, that a refusal changes nothing and is kept, and that no action is missing from the table."""

from __future__ import annotations

import ast
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import NotAllowed
from mnist_dash.runs.access import sharing
from mnist_dash.runs.access.permission import thin_audit
from mnist_dash.runs.actions import drawings, retention, run_actions, run_annotations, views
from mnist_dash.runs.actions import steering as course
from mnist_dash.runs.execution import analyses
from mnist_dash.runs.execution.analyses import AnalysisKind
from mnist_dash.runs.query import comparison
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.identities import OWNER, Person, Role
from mnist_dash.runs.store.run_store import Store, transition, update
from mnist_dash.runs.store.states import RunState
from mnist_dash.runs.transfer import archive_export, archive_import
from mnist_dash.search.actions import steering
from mnist_dash.search.actions.steering import Narrowing
from mnist_dash.search.definition.methods import Budget
from mnist_dash.settings import Settings
from tests.new_store import new_store
from tests.search.conftest import define
from tests.source_tree import Source, sources

pytestmark = pytest.mark.sqlite

CONFIG = RunConfig(epochs=1)
LINE = (((0.5, 0.1), (0.5, 0.9)),)
EDITOR = Person(Role.EDITOR, "editor@example.org")


@dataclass(frozen=True)
class Scene:
    """What there is to act on."""

    queued: str
    ended: str
    deleted: str
    drawing: int
    running: str
    """A study that runs."""
    paused: str
    link: str
    """A share link that the editor has made."""
    link_of_owner: str
    trained: str
    """A run that has ended after two epochs, tagged and archived."""
    paused_run: str
    archive: Path
    """A file with a run that is not here."""


Act = Callable[[Store, Scene], object]


def _clear_all(store: Store, _scene: Scene) -> object:
    everything = retention.Rule(max_bytes=0, keep_starred=False)
    return retention.apply(store, everything, retention.preview(store, everything))


ACTIONS: dict[str, tuple[Role, Act]] = {
    "runs.actions.run_actions.submit": (Role.EDITOR, lambda s, _: run_actions.submit(s, CONFIG)),
    "runs.actions.run_actions.stop": (
        Role.EDITOR,
        lambda s, scene: run_actions.stop(s, scene.queued),
    ),
    "runs.actions.run_actions.delete": (
        Role.EDITOR,
        lambda s, scene: run_actions.delete(s, [scene.ended]),
    ),
    "runs.actions.run_actions.undelete": (
        Role.EDITOR,
        lambda s, scene: run_actions.undelete(s, [scene.deleted]),
    ),
    "runs.execution.analyses.request": (
        Role.EDITOR,
        lambda s, scene: analyses.request(s, scene.ended, AnalysisKind.EMBEDDING, {"n_points": 10}),
    ),
    "runs.actions.drawings.keep": (Role.EDITOR, lambda s, _: drawings.keep(s, LINE, 1)),
    "runs.actions.drawings.delete": (
        Role.EDITOR,
        lambda s, scene: drawings.delete(s, [scene.drawing]),
    ),
    "runs.actions.drawings.undelete": (
        Role.EDITOR,
        lambda s, scene: drawings.undelete(s, [scene.drawing]),
    ),
    "runs.access.sharing.create": (
        Role.EDITOR,
        lambda s, scene: sharing.create(s, "run", "run=x", [scene.ended]),
    ),
    "runs.access.sharing.revoke": (Role.EDITOR, lambda s, scene: sharing.revoke(s, scene.link)),
    "runs.access.sharing.revoke, of somebody else": (
        Role.ADMIN,
        lambda s, scene: sharing.revoke(s, scene.link_of_owner),
    ),
    "runs.transfer.archive_import.import_runs": (
        Role.EDITOR,
        lambda s, scene: archive_import.import_runs(s, scene.archive),
    ),
    "runs.query.comparison.add_seeds": (
        Role.EDITOR,
        lambda s, scene: comparison.add_seeds(s, [s.run(scene.trained)], 1),
    ),
    "runs.actions.run_annotations.rename": (
        Role.EDITOR,
        lambda s, scene: run_annotations.rename(s, scene.ended, "first"),
    ),
    "runs.actions.run_annotations.write_notes": (
        Role.EDITOR,
        lambda s, scene: run_annotations.write_notes(s, scene.ended, "a note"),
    ),
    "runs.actions.run_annotations.star": (
        Role.EDITOR,
        lambda s, scene: run_annotations.star(s, [scene.ended]),
    ),
    "runs.actions.run_annotations.add_tags": (
        Role.EDITOR,
        lambda s, scene: run_annotations.add_tags(s, [scene.ended], ["demo"]),
    ),
    "runs.actions.run_annotations.remove_tags": (
        Role.EDITOR,
        lambda s, scene: run_annotations.remove_tags(s, [scene.trained], ["kept"]),
    ),
    "runs.actions.run_annotations.archive": (
        Role.EDITOR,
        lambda s, scene: run_annotations.archive(s, [scene.ended]),
    ),
    "runs.actions.run_annotations.unarchive": (
        Role.EDITOR,
        lambda s, scene: run_annotations.unarchive(s, [scene.trained]),
    ),
    "runs.actions.views.save_view": (
        Role.EDITOR,
        lambda s, _: views.save_view(s, "runs", "new", "q=x"),
    ),
    "runs.actions.views.delete_view": (
        Role.EDITOR,
        lambda s, _: views.delete_view(s, "runs", "old"),
    ),
    "runs.actions.views.restore_view": (
        Role.EDITOR,
        lambda s, _: views.restore_view(s, views.SavedView("runs", "again", "q=x")),
    ),
    "runs.actions.steering.pause": (Role.EDITOR, lambda s, scene: course.pause(s, scene.queued)),
    "runs.actions.steering.resume": (
        Role.EDITOR,
        lambda s, scene: course.resume(s, scene.paused_run),
    ),
    "runs.actions.steering.change": (
        Role.EDITOR,
        lambda s, scene: course.change(s, scene.paused_run, {"learning_rate": 0.01}),
    ),
    "runs.actions.steering.fork": (
        Role.EDITOR,
        lambda s, scene: course.fork(s, scene.trained, 2, {"learning_rate": 0.01}),
    ),
    "runs.actions.steering.continue_run": (
        Role.EDITOR,
        lambda s, scene: course.continue_run(s, scene.trained, 5),
    ),
    "runs.actions.steering.train_again": (
        Role.EDITOR,
        lambda s, scene: course.train_again(s, scene.trained),
    ),
    "runs.actions.retention.apply": (Role.ADMIN, _clear_all),
    "search.actions.steering.create": (
        Role.EDITOR,
        lambda s, _: steering.create(s, define("another")),
    ),
    "search.actions.steering.pause": (
        Role.EDITOR,
        lambda s, scene: steering.pause(s, scene.running),
    ),
    "search.actions.steering.resume": (
        Role.EDITOR,
        lambda s, scene: steering.resume(s, scene.paused),
    ),
    "search.actions.steering.stop": (
        Role.EDITOR,
        lambda s, scene: steering.stop(s, scene.running, cancel=True),
    ),
    "search.actions.steering.stop_trial": (
        Role.EDITOR,
        lambda s, scene: steering.stop_trial(s, scene.running, 0),
    ),
    "search.actions.steering.extend": (
        Role.EDITOR,
        lambda s, scene: steering.extend(s, scene.running, 3),
    ),
    "search.actions.steering.set_parallelism": (
        Role.EDITOR,
        lambda s, scene: steering.set_parallelism(s, scene.running, 3),
    ),
    "search.actions.steering.narrow": (
        Role.EDITOR,
        lambda s, scene: steering.narrow(s, scene.running, (Narrowing("batch_size", 100, 200),)),
    ),
    "search.actions.steering.ban": (
        Role.EDITOR,
        lambda s, scene: steering.ban(s, scene.running, "optimizer.kind", "sgd"),
    ),
    "search.actions.steering.undo": (Role.EDITOR, lambda s, scene: steering.undo(s, scene.paused)),
    "search.actions.steering.try_next": (Role.EDITOR, lambda s, scene: try_one(s, scene.running)),
    "search.actions.steering.go_on": (
        Role.EDITOR,
        lambda s, scene: steering.go_on(s, scene.paused, Budget(trials=50)),
    ),
}
"""Each action, the least role that may, and a call of it that changes something."""

SYSTEM = {
    "runs.access.permission.require": "keeps refusals",
    "runs.access.permission.thin_audit": "a worker's housekeeping",
    "runs.store.artifact_policy.empty_bin": "a worker's housekeeping",
    "runs.store.artifact_policy.thin_checkpoints": "a worker's housekeeping",
    "runs.execution.lost_jobs.offer_again": "a worker's housekeeping",
    "runs.execution.repair.repair": "for who has the command line, and with it the files",
    "search.engine.artifact_policy.discard_files": "the study runner's housekeeping",
}
"""What writes for nobody in particular."""


def try_one(store: Store, study_id: str) -> int:
    """Ask for a trial."""
    return steering.try_next(
        store,
        study_id,
        {"optimizer.kind": "adam", "optimizer.learning_rate": 0.01, "batch_size": 128},
    )


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no process beside the test."""
    monkeypatch.setattr(steering, "ensure_study_runner", lambda _settings: None)
    monkeypatch.setattr(analyses, "ensure_analyst", lambda _settings: None)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scene]:
    """A home in which the scene is set, to be copied by each test."""
    home = tmp_path_factory.mktemp("stage")
    store = new_store(Settings.from_environment({"MNIST_DASH_HOME": str(home)}))
    archive = written_archive(tmp_path_factory.mktemp("elsewhere"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steering, "ensure_study_runner", lambda _settings: None)
        scene = set_scene(store, archive)
    store.close()
    return home, scene


@pytest.fixture
def settings(stage: tuple[Path, Scene], tmp_path: Path) -> Settings:
    """Settings of a copy."""
    shutil.copytree(stage[0], tmp_path / "copy")
    return Settings.from_environment({"MNIST_DASH_HOME": str(tmp_path / "copy")})


@pytest.fixture
def scene(stage: tuple[Path, Scene]) -> Scene:
    """What there is to act on."""
    return stage[1]


def written_archive(home: Path) -> Path:
    """Export a run of another store."""
    store = new_store(Settings.from_environment({"MNIST_DASH_HOME": str(home)}))
    run_id = run_actions.submit(store, CONFIG)
    run_actions.stop(store, run_id)
    archive_export.export_runs(store, [run_id], home / "runs.zip")
    store.close()
    return home / "runs.zip"


def set_scene(store: Store, archive: Path) -> Scene:
    """Make runs, a drawing, studies, links and a view."""
    trained, paused_run = (run_actions.submit(store, RunConfig(epochs=3)) for _ in range(2))
    with store.writing() as connection:
        update(connection, trained, state=RunState.STOPPED, epoch=2)
        update(connection, paused_run, state=RunState.PAUSED, epoch=1, attempt=1)
    run_annotations.add_tags(store, [trained], ["kept"])
    run_annotations.archive(store, [trained])
    views.save_view(store, "runs", "old", "q=y")
    queued, ended, deleted = (run_actions.submit(store, CONFIG) for _ in range(3))
    for run_id in (ended, deleted):
        with store.writing() as connection:
            transition(connection, run_id, RunState.STOPPED)
    file = artifacts.write(store.settings, ended, ArtifactKind.WEIGHTS, b"weights")
    with store.writing() as connection:
        artifacts.record(connection, ended, ArtifactKind.WEIGHTS, file, epoch=1)
    run_actions.delete(store, [deleted])
    running, paused = (
        steering.create(store, define("running")),
        steering.create(store, define("paused")),
    )
    try_one(store, running)
    steering.set_parallelism(store, paused, 2)
    steering.pause(store, paused)
    links = [
        sharing.create(acting, "run", "run=x", [ended]).partition(".")[0]
        for acting in (store.acting_for(EDITOR), store)
    ]
    return Scene(
        queued,
        ended,
        deleted,
        drawings.keep(store, LINE, 1),
        running,
        paused,
        links[0],
        links[1],
        trained,
        paused_run,
        archive,
    )


def everything(store: Store) -> dict[str, list[sa.Row[tuple[object, ...]]]]:
    """Read every row of every table but the one of refusals."""
    tables = [table for table in schema.metadata.sorted_tables if table is not schema.audit]
    with store.reading() as connection:
        return {table.name: list(connection.execute(sa.select(table))) for table in tables}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_by_every_role(store: Store, scene: Scene, name: str, role: Role) -> None:
    """Who may changes something; who may not changes nothing, is told who may, and is remembered."""
    least, act = ACTIONS[name]
    acting = store.acting_for(Person(role, EDITOR.email))
    before = everything(store)
    if role.covers(least):
        act(acting, scene)
        assert everything(store) != before
        assert sharing.refusals(store) == ()
        return
    with pytest.raises(NotAllowed, match=f"Only an (editor|admin) may .*you are an? {role}"):
        act(acting, scene)
    assert everything(store) == before
    ((_, person, kept_role, _),) = sharing.refusals(store)
    assert (person, kept_role) == (EDITOR.email, role)


def test_owner_may_everything(store: Store, scene: Scene) -> None:
    """Nothing asks whoever sits at the machine; what they own has no name."""
    assert store.person == OWNER
    assert store.run(scene.queued).owner is None


def test_refusals_are_thinned(store: Store) -> None:
    """Old ones go, and of the same deed on one day all but the last; who tried what stays, and so does the last day."""
    day, present = 86_400, time.time()
    noon = (present // day - 3) * day + day / 2
    tries = [
        (noon, "ann", "stop run 1"),
        (noon + 60, "ann", "stop run 1"),
        (noon + 60, "ben", "stop run 1"),
        (noon, "ann", "stop run 2"),
    ]
    tries += [
        (present - 400 * day, "ann", "stop run 1"),
        (present, "ann", "stop run 1"),
        (present, "ann", "stop run 1"),
    ]
    with store.writing() as connection:
        rows = [
            {"at": at, "person": person, "role": "viewer", "deed": deed, "allowed": False}
            for at, person, deed in sorted(tries)
        ]
        connection.execute(schema.audit.insert(), rows)
    assert thin_audit(store) == 2
    assert thin_audit(store) == 0
    assert thin_audit(store, most=2) == 3


def test_no_action_is_missing() -> None:
    """Whatever takes a store and writes to it is in the table, or is known to write for nobody in particular."""
    found = {
        f"{source.module.partition('.')[2]}.{name}"
        for source in sources()
        for name in _writing(source)
    }
    assert found == {name.partition(",")[0] for name in ACTIONS} | set(SYSTEM)


def _writing(source: Source) -> Iterator[str]:
    """Name the public functions of a module that take a store and write, themselves or by others of the module."""
    if source.layer not in ("runs", "search"):
        return
    functions = {node.name: node for node in source.tree.body if isinstance(node, ast.FunctionDef)}
    writers = {name for name, node in functions.items() if _writes(node)}
    while True:
        more = {
            name
            for name, node in functions.items()
            if name not in writers and _calls(node) & writers
        }
        if not more:
            break
        writers |= more
    yield from (
        name for name in writers if not name.startswith("_") and _takes_store(functions[name])
    )


_VERBS = {"writing", "insert_run", "transition", "mark_deleted"}
"""Methods of the store that write."""


def _writes(node: ast.FunctionDef) -> bool:
    methods = {
        call.func.attr
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
    }
    return bool(methods & _VERBS) or "require" in _calls(node)


def _calls(node: ast.FunctionDef) -> set[str]:
    return {
        call.func.id
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    }


def _takes_store(node: ast.FunctionDef) -> bool:
    first = node.args.args[0] if node.args.args else None
    return (
        first is not None
        and isinstance(first.annotation, ast.Name)
        and first.annotation.id == "Store"
    )
