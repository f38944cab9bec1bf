"""Share links, roles by e-mail, and quotas."""

from __future__ import annotations

import hmac
import subprocess
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import InvalidInput, NotAllowed, QuotaExceeded
from mnist_dash.runs.access import sharing
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.execution import supervisor
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.identities import OWNER, Person, Role, role_of
from mnist_dash.runs.store.run_store import Store, transition
from mnist_dash.runs.store.schema import now
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.actions import steering
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import TrialState
from mnist_dash.settings import Settings
from tests.search.conftest import Player, define

CONFIG = RunConfig(epochs=1)
ANN, BOB = Person(Role.EDITOR, "ann@example.org"), Person(Role.EDITOR, "bob@example.org")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test alone advance its studies."""
    monkeypatch.setattr(steering, "ensure_study_runner", lambda _settings: None)


def _share(store: Store, *targets: str, days: int = 30) -> str:
    return sharing.create(store, "run", f"run={targets[0]}", targets, days=days)


def _set(store: Store, token: str, **values: object) -> None:
    table = schema.share_links
    with store.writing() as connection:
        connection.execute(
            table.update().where(table.c.id == token.partition(".")[0]).values(**values)
        )


def _statements(store: Store, act: Callable[[], object]) -> list[str]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    sa.event.listen(store.engine, "before_cursor_execute", note)
    with pytest.raises(NotAllowed):
        act()
    sa.event.remove(store.engine, "before_cursor_execute", note)
    return seen


def test_link_lets_in_to_its_targets_alone(store: Store) -> None:
    """Its run is there, another is not, by no way of reading; nothing can be changed."""
    shared, other = run_actions.submit(store, CONFIG), run_actions.submit(store, CONFIG)
    visitor = sharing.visitor(store, _share(store, shared))
    assert visitor == Person(Role.VIEWER, only=frozenset({shared}))
    seen = store.acting_for(visitor)
    assert seen.run(shared).id == shared
    assert [run.id for run in (*seen.runs(), *seen.queue())] == [shared, shared]
    assert seen.count() == 1
    for read in (
        seen.run,
        seen.run_revision,
        seen.history,
        lambda run_id: seen.sparklines([shared, run_id]),
    ):
        with pytest.raises(NotAllowed, match="This share link is not for"):
            read(other)
    with pytest.raises(NotAllowed, match="Only an editor may stop run"):
        run_actions.stop(seen, shared)


def test_link_of_a_study_shows_its_runs(store: Store) -> None:
    """The runs of its trials are there, other studies are not, whether they exist or not."""
    study, other = Player(store, define("shared")), steering.create(store, define("other"))
    study.advancer.step()
    (run_id,) = study_store.runs_of(store, study.id)[0]
    lonely = run_actions.submit(store, CONFIG)
    seen = store.acting_for(
        sharing.visitor(store, sharing.create(store, "study", f"study={study.id}", [study.id]))
    )
    assert study_store.find(seen, "shared").id == study.id
    assert [found.id for found in study_store.all_studies(seen)] == [study.id]
    assert seen.run(run_id).id == run_id
    for name in (other, "other", "nothing"):
        with pytest.raises(NotAllowed):
            study_store.find(seen, name)
    with pytest.raises(NotAllowed):
        seen.run(lonely)


def test_secret_is_kept_nowhere(store: Store) -> None:
    """Only its hash is in the database."""
    token = _share(store, run_actions.submit(store, CONFIG))
    secret = token.partition(".")[2]
    assert len(secret) == 43  # 32 bytes in base64
    with store.reading() as connection:
        (row,) = connection.execute(sa.select(schema.share_links)).all()
    assert secret not in "".join(map(str, row))


def test_wrong_tokens_get_one_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forged, expired, revoked and malformed tokens are told apart neither by the sentence nor by what is done to check them."""
    run_id = run_actions.submit(store, CONFIG)
    expired, revoked, good = (_share(store, run_id) for _ in range(3))
    _set(store, expired, expires_at=now() - 1)
    sharing.revoke(store, revoked.partition(".")[0])
    forged = good.partition(".")[0] + "." + good.partition(".")[2][::-1]
    wrong = (
        expired,
        revoked,
        forged,
        f"{'0' * 16}.{good.partition('.')[2]}",
        good.partition(".")[0],
        "",
        ".",
        "%00' OR 1=1",
        "é.\udce9",
    )
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def noted(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    answers, statements = set(), set()
    for token in wrong:
        with pytest.raises(NotAllowed) as caught:
            sharing.visitor(store, token)
        answers.add(str(caught.value))
        statements.add(tuple(_statements(store, lambda token=token: sharing.visitor(store, token))))  # type: ignore[misc]
    assert len(answers) == len(statements) == 1
    assert compared == [(64, 64)] * 2 * len(wrong)
    assert sharing.visitor(store, good).only == frozenset({run_id})


def test_links_are_listed_and_revoked_by_their_maker(store: Store) -> None:
    """Whoever made a link revokes it, an admin any; what is over is not listed for its run."""
    run_id = run_actions.submit(store, CONFIG)
    ann, bob = store.acting_for(ANN), store.acting_for(BOB)
    _share(ann, run_id)
    (link,) = sharing.links(bob, target=run_id)
    assert (
        link.person,
        link.is_open,
        round((link.expires_at - link.created_at).total_seconds() / 86_400),
    ) == (ANN.email, True, 30)
    with pytest.raises(NotAllowed, match="Only an admin may revoke a share link of somebody else"):
        sharing.revoke(bob, link.id)
    assert [refusal[1] for refusal in sharing.refusals(store)] == [BOB.email]
    sharing.revoke(ann, link.id)
    assert sharing.links(store, target=run_id) == ()
    assert [found.is_open for found in sharing.links(store)] == [False]
    with pytest.raises(InvalidInput, match="No link 'nothing'"):
        sharing.revoke(store, "nothing")


@pytest.mark.parametrize(
    ("page", "targets", "days", "sentence"),
    [
        ("system", ["known"], 30, "The page 'system' cannot be shared"),
        ("run", ["known"], 0, r"0 days are too few for a link \(1 to 365\)"),
        ("run", ["unknown"], 30, "No run or study 'unknown'"),
        ("compare", [], 30, r"0 runs cannot be shared by one link \(1 to 200\)"),
    ],
)
def test_impossible_links_are_refused(
    store: Store, page: str, targets: list[str], days: int, sentence: str
) -> None:
    """Another page, no target, one that is not there, and days out of bounds."""
    run_id = run_actions.submit(store, CONFIG)
    with pytest.raises(InvalidInput, match=sentence):
        sharing.create(
            store,
            page,
            "",
            [run_id if target == "known" else target for target in targets],
            days=days,
        )


def _settings(store: Store, **variables: str) -> Settings:
    environment = {f"MNIST_DASH_{name}": value for name, value in variables.items()}
    return Settings.from_environment({"MNIST_DASH_HOME": str(store.settings.home), **environment})


@pytest.mark.parametrize(
    ("email", "role"),
    [
        ("boss@example.org", Role.ADMIN),
        ("BOSS@Example.org", Role.ADMIN),
        ("ann@lab.org", Role.EDITOR),
        ("eve@lab.org.evil.com", None),
        ("lab.org", None),
        ("guest@example.org", Role.VIEWER),
        (None, None),
    ],
)
def test_roles_by_email_and_domain(store: Store, email: str | None, role: Role | None) -> None:
    """The highest role that names an e-mail or its whole domain counts; read-only leaves nobody more than looking."""
    who = {
        "ADMINS": "boss@example.org",
        "EDITORS": "@lab.org, boss@example.org",
        "VIEWERS": "guest@example.org",
    }
    assert role_of(_settings(store, **who).access, email) is role
    assert role_of(_settings(store, **who, VISITORS="viewer").access, email) is (
        role or Role.VIEWER
    )
    assert role_of(_settings(store, **who, READ_ONLY="1").access, email) is (role and Role.VIEWER)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ADMINS", "boss"),
        ("EDITORS", "a@b, @"),
        ("VISITORS", "admin"),
        ("READ_ONLY", "perhaps"),
        ("MAX_TRIALS", "0"),
    ],
)
def test_wrong_settings_are_refused(store: Store, name: str, value: str) -> None:
    """The variable, the rule, the value and the remedy."""
    with pytest.raises(InvalidInput, match=f"MNIST_DASH_{name}: .*(Correct|Write|Did you mean)"):
        _settings(store, **{name: value})


def _limited(store: Store, **quotas: str) -> Store:
    return Store(_settings(store, **quotas), store.engine, store.queue_client, ANN)


def test_quota_of_runs(store: Store) -> None:
    """One waits at a time a person; the same submission again is none; others, admins and the owner are not held up."""
    ann = _limited(store, MAX_QUEUED="1")
    first = run_actions.submit(ann, CONFIG, key="once")
    assert store.run(first).owner == ANN.email
    assert run_actions.submit(ann, CONFIG, key="once") == first
    with pytest.raises(
        QuotaExceeded, match=r"1 run of yours is queued, as many as one person may have \(1\)"
    ):
        run_actions.submit(ann, CONFIG)
    for person in (BOB, Person(Role.ADMIN, "boss@example.org"), OWNER):
        run_actions.submit(ann.acting_for(person), CONFIG)
    run_actions.stop(ann, first)
    run_actions.submit(ann, CONFIG)


def test_quota_of_runs_in_training(store: Store) -> None:
    """No further run while as many train as may."""
    ann = _limited(store, MAX_RUNNING="1")
    run_id = run_actions.submit(ann, CONFIG)
    with store.writing() as connection:
        transition(connection, run_id, RunState.RUNNING)
    with pytest.raises(
        QuotaExceeded, match=r"1 run of yours is running, as many as one person may have \(1\)"
    ):
        run_actions.submit(ann, CONFIG)
    with pytest.raises(
        QuotaExceeded,
        match=r"2 trials at a time are more runs in training than one person may have \(1\)",
    ):
        steering.create(ann, define(parallelism=2))


def test_quota_of_work(store: Store) -> None:
    """Epochs times parameters, of a run and of every trial."""
    ann = _limited(store, MAX_WORK="100000")
    with pytest.raises(
        QuotaExceeded, match=r"Epochs times parameters are too many: 1 x .* \(at most 100,000\)"
    ):
        run_actions.submit(ann, CONFIG)
    study = Player(ann, define(trials=1))  # 3 epochs of 7,850 parameters
    study.advancer = type(study.advancer)(
        _limited(store, MAX_WORK="20000").acting_for(OWNER), study.id, "first"
    )
    study.advancer.step()
    (trial,) = study_store.trials(store, study.id)
    assert trial.state is TrialState.FAILED
    assert "3 x 7,850 = 23,550 (at most 20,000)" in trial.reason
    assert store.count() == 0


def test_quota_of_trials(store: Store) -> None:
    """What all of a person's studies still have to do, by launching and by extending; a study's runs are its owner's."""
    ann = _limited(store, MAX_TRIALS="6")
    first = Player(ann, define("first", trials=4))
    first.advancer.step()
    assert [run.owner for run in store.runs()] == [ANN.email]
    with pytest.raises(
        QuotaExceeded,
        match=r"3 trials beside the 4 of your other studies are more than one person may have to do \(6\)",
    ):
        steering.create(ann, define("second", trials=3))
    with pytest.raises(
        QuotaExceeded, match=r"\d+ trials are more than one person may have to do.*Ask for fewer"
    ):
        steering.extend(ann, first.id, 3)
    first.go()
    steering.extend(ann, first.id, 2)
    steering.create(ann, define("second", trials=4))
    endless = define("third").model_copy(
        update={"budget": define().budget.model_copy(update={"trials": None, "minutes": 5.0})}
    )
    with pytest.raises(QuotaExceeded, match="A study without an end"):
        steering.create(ann, endless)


def test_read_only_server_starts_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither workers nor what serves beside them."""
    started: list[object] = []
    monkeypatch.setattr(
        subprocess, "Popen", lambda *arguments, **_options: started.append(arguments)
    )
    settings = _settings(store, READ_ONLY="1", WORKERS="1")
    supervisor.ensure_workers(settings, companions=["mnist_dash.search.engine.study_runner"])
    from mnist_dash.runs.execution.analyses import ensure_analyst

    ensure_analyst(settings)
    assert started == []
