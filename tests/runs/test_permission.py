"""Every action by every role: who may, that a refusal changes nothing and is kept, and that no action is missing from the table."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from mnist_dash.core.config import RunConfig
from mnist_dash.errors import NotAllowed
from mnist_dash.runs import actions, analyses, drawings, schema, sharing
from mnist_dash.runs.analyses import AnalysisKind
from mnist_dash.runs.people import OWNER, Person, Role
from mnist_dash.runs.states import RunState
from mnist_dash.runs.store import Store
from mnist_dash.search import steering
from mnist_dash.search.methods import Budget
from mnist_dash.search.steering import Narrowing
from mnist_dash.settings import Settings
from tests.search.conftest import define
from tests.source_tree import Source, sources

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


Act = Callable[[Store, Scene], object]
ACTIONS: dict[str, tuple[Role, Act]] = {
    "actions.submit": (Role.EDITOR, lambda s, _: actions.submit(s, CONFIG)),
    "actions.stop": (Role.EDITOR, lambda s, scene: actions.stop(s, scene.queued)),
    "actions.delete": (Role.EDITOR, lambda s, scene: actions.delete(s, [scene.ended])),
    "actions.undelete": (Role.EDITOR, lambda s, scene: actions.undelete(s, [scene.deleted])),
    "analyses.request": (Role.EDITOR, lambda s, scene: analyses.request(s, scene.ended, AnalysisKind.EMBEDDING, {"n_points": 10})),
    "drawings.keep": (Role.EDITOR, lambda s, _: drawings.keep(s, LINE, 1)),
    "drawings.delete": (Role.EDITOR, lambda s, scene: drawings.delete(s, [scene.drawing])),
    "drawings.undelete": (Role.EDITOR, lambda s, scene: drawings.undelete(s, [scene.drawing])),
    "sharing.create": (Role.EDITOR, lambda s, scene: sharing.create(s, "run", "run=x", [scene.ended])),
    "sharing.revoke": (Role.EDITOR, lambda s, scene: sharing.revoke(s, scene.link)),
    "sharing.revoke, of somebody else": (Role.ADMIN, lambda s, scene: sharing.revoke(s, scene.link_of_owner)),
    "steering.create": (Role.EDITOR, lambda s, _: steering.create(s, define("another"))),
    "steering.pause": (Role.EDITOR, lambda s, scene: steering.pause(s, scene.running)),
    "steering.resume": (Role.EDITOR, lambda s, scene: steering.resume(s, scene.paused)),
    "steering.stop": (Role.EDITOR, lambda s, scene: steering.stop(s, scene.running, cancel=True)),
    "steering.stop_trial": (Role.EDITOR, lambda s, scene: steering.stop_trial(s, scene.running, 0)),
    "steering.extend": (Role.EDITOR, lambda s, scene: steering.extend(s, scene.running, 3)),
    "steering.set_parallelism": (Role.EDITOR, lambda s, scene: steering.set_parallelism(s, scene.running, 3)),
    "steering.set_budget": (Role.EDITOR, lambda s, scene: steering.set_budget(s, scene.running, {"trials": 7})),
    "steering.narrow": (Role.EDITOR, lambda s, scene: steering.narrow(s, scene.running, (Narrowing("batch_size", 100, 200),))),
    "steering.ban": (Role.EDITOR, lambda s, scene: steering.ban(s, scene.running, "optimizer.kind", "sgd")),
    "steering.undo": (Role.EDITOR, lambda s, scene: steering.undo(s, scene.paused)),
    "steering.try_next": (Role.EDITOR, lambda s, scene: try_one(s, scene.running)),
    "steering.go_on": (Role.EDITOR, lambda s, scene: steering.go_on(s, scene.paused, Budget(trials=50))),
}
"""Each action, the least role that may, and a call of it that changes something."""

SYSTEM = {
    "permission.require": "keeps refusals",
    "retention.empty_bin": "a worker's housekeeping",
    "keeping.discard_files": "the conductor's housekeeping",
}
"""What writes for nobody in particular."""


def try_one(store: Store, study_id: str) -> int:
    """Ask for a trial."""
    return steering.try_next(store, study_id, {"optimizer.kind": "adam", "optimizer.learning_rate": 0.01, "batch_size": 128})


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no process beside the test."""
    monkeypatch.setattr(steering, "ensure_conductor", lambda _settings: None)
    monkeypatch.setattr(analyses, "ensure_analyst", lambda _settings: None)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scene]:
    """A home in which the scene is set, to be copied by each test."""
    home = tmp_path_factory.mktemp("stage")
    store = Store.open(Settings.from_environment({"MNIST_DASH_HOME": str(home)}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steering, "ensure_conductor", lambda _settings: None)
        scene = set_scene(store)
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


def set_scene(store: Store) -> Scene:
    """Make runs, a drawing, studies and links."""
    queued, ended, deleted = (actions.submit(store, CONFIG) for _ in range(3))
    for run_id in (ended, deleted):
        store.transition(run_id, RunState.STOPPED)
    actions.delete(store, [deleted])
    running, paused = steering.create(store, define("running")), steering.create(store, define("paused"))
    try_one(store, running)
    steering.set_parallelism(store, paused, 2)
    steering.pause(store, paused)
    links = [sharing.create(acting, "run", "run=x", [ended]).partition(".")[0] for acting in (store.acting_for(EDITOR), store)]
    return Scene(queued, ended, deleted, drawings.keep(store, LINE, 1), running, paused, *links)


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


def test_no_action_is_missing() -> None:
    """Whatever takes a store and writes to it is in the table, or is known to write for nobody in particular."""
    found = {f"{source.module.rpartition('.')[2]}.{name}" for source in sources() for name in _writing(source)}
    assert found == {name.partition(",")[0] for name in ACTIONS} | set(SYSTEM)


def _writing(source: Source) -> Iterator[str]:
    """Name the public functions of a module that take a store and write, themselves or by others of the module."""
    if source.layer not in ("runs", "search"):
        return
    functions = {node.name: node for node in source.tree.body if isinstance(node, ast.FunctionDef)}
    writers = {name for name, node in functions.items() if _writes(node)}
    while True:
        more = {name for name, node in functions.items() if name not in writers and _calls(node) & writers}
        if not more:
            break
        writers |= more
    yield from (name for name in writers if not name.startswith("_") and _takes_store(functions[name]))


_VERBS = {"writing", "accept", "insert_run", "transition", "request_stop", "mark_deleted"}
"""Methods of the store that write."""


def _writes(node: ast.FunctionDef) -> bool:
    methods = {call.func.attr for call in ast.walk(node) if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)}
    return bool(methods & _VERBS) or "require" in _calls(node)


def _calls(node: ast.FunctionDef) -> set[str]:
    return {call.func.id for call in ast.walk(node) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)}


def _takes_store(node: ast.FunctionDef) -> bool:
    first = node.args.args[0] if node.args.args else None
    return first is not None and isinstance(first.annotation, ast.Name) and first.annotation.id == "Store"
