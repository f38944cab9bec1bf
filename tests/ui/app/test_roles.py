"""Every page by every role: what it shows, what it offers, and that nothing a looker can press changes anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import sqlalchemy as sa
import streamlit as st
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.testing.v1 import AppTest

from mnist_dash.core.config.published import EXPERIMENTS
from mnist_dash.core.data.drawing import encode_strokes
from mnist_dash.runs.access import link_use, sharing
from mnist_dash.runs.actions import drawings, run_actions
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.identities import Person, Role
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.actions import steering
from mnist_dash.settings import Settings
from mnist_dash.ui.app import navigation
from mnist_dash.ui.server.lifespan import keep_workers
from mnist_dash.ui.server.options import SCRIPT
from tests.search.conftest import define
from tests.ui.conftest import CONFIG, texts
from tests.waiting import PATIENCE_SECONDS

LINE = (((0.5, 0.1), (0.5, 0.9)),)
PEOPLE = {"ADMINS": "boss@example.org", "EDITORS": "@lab.org", "VIEWERS": "guest@example.org"}
AUTH = {
    "auth": {
        "redirect_uri": "http://localhost/oauth2callback",
        "cookie_secret": "x" * 32,
        "client_id": "dash",
    }
}


def signed_in(email: str, *, verified: object = True) -> dict[str, object]:
    """What the sign-in says of a person."""
    return {"is_logged_in": True, "email": email, "email_verified": verified}


@dataclass(frozen=True)
class Look:
    """Somebody at a server."""

    sees: str
    """``everything``, ``offers`` (what changes things, but not what only an admin has), ``looks`` or ``nothing``."""
    user: dict[str, object] | None = None
    environment: tuple[tuple[str, str], ...] = ()
    has_sign_in: bool = True


ROLES = {
    "owner of a laptop": Look("everything", has_sign_in=False),
    "admin": Look("everything", signed_in("boss@example.org")),
    "editor": Look("offers", signed_in("Ann@lab.org")),
    "viewer": Look("looks", signed_in("guest@example.org")),
    "visitor, who may look": Look("looks", environment=(("VISITORS", "viewer"),)),
    "visitor": Look("nothing"),
    "stranger who has signed in": Look("nothing", signed_in("eve@example.com")),
    "unverified e-mail of an admin": Look("nothing", signed_in("boss@example.org", verified=False)),
    "e-mail of which nothing is said": Look(
        "nothing", {"is_logged_in": True, "email": "boss@example.org"}
    ),
    "admin at a read-only server": Look(
        "looks", signed_in("boss@example.org"), (("READ_ONLY", "1"),)
    ),
    "anybody at a read-only server": Look(
        "looks", environment=(("READ_ONLY", "1"),), has_sign_in=False
    ),
}
PAGES: dict[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
    "train": ("Train a network", {}, ("train_submit",)),
    "run": ("512", {"run": "live"}, ("run_stop", "share_make", "steer_pause", "run_star")),
    "runs": ("Runs", {}, ("runs_Stop", "runs_Delete", "runs_Archive", "runs_star")),
    "run, ended": (
        "512",
        {"run": "ended", "view": "embedding", "emb_layer": "pixels"},
        ("emb_compute", "steer_again"),
    ),
    "studies": ("Studies", {}, ()),
    "study": (
        "played",
        {"study": "study"},
        ("study_pause", "study_stop", "study_cancel", "study_extend", "share_make"),
    ),
    "studies, a new one": ("New study", {"new": "1"}, ("study_launch",)),
    "study, steered": (
        "played",
        {"study": "study", "view": "steer"},
        ("study_ban_optimizer.kind_sgd",),
    ),
    "published": (
        "Published results",
        {"experiment": EXPERIMENTS[0].name},
        ("published_run", "published_seeds"),
    ),
    "study, a trial": ("played", {"study": "study", "trials": "0"}, ("study_stop_0",)),
    "data": ("Data", {}, ()),
    "draw": ("Draw a digit", {"drawing": encode_strokes(LINE)}, ("draw_delete",)),
    "compare": ("Compare", {"runs": "ended"}, ()),
    "system": ("System", {}, ()),
}
"""Each page: how its title begins, the address, and the buttons that change something. None follows itself, which would keep its view."""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test alone advance its studies."""
    monkeypatch.setattr(steering, "ensure_study_runner", lambda _settings: None)


@pytest.fixture
def scene(store: Store, train: Callable[..., Run]) -> dict[str, str]:
    """A live run, an ended one, a study with a waiting trial, a drawing, and a link to each of the first and the third."""
    live, ended = (
        train(state=None, epochs=1),
        train(CONFIG.model_copy(update={"seed": 1}), state=RunState.STOPPED),
    )
    study = steering.create(store, define())
    steering.try_next(
        store, study, {"optimizer.kind": "adam", "optimizer.learning_rate": 0.01, "batch_size": 128}
    )
    ids = {
        "live": live.id,
        "ended": ended.id,
        "study": study,
        "drawing": str(drawings.keep(store, LINE, 1)),
    }
    ids["link"] = sharing.create(store, "run", f"run={live.id}", [live.id])
    return ids | {"link of study": sharing.create(store, "study", f"study={study}", [study])}


Visit = Callable[..., AppTest]


@pytest.fixture
def visit(scene: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Visit:
    """Open a page as somebody."""

    def visited(look: Look, page: str, app: AppTest | None = None, **more: str) -> AppTest:
        app = app or _arrive(look, monkeypatch)
        name, query = page.partition(",")[0], PAGES[page][1]
        app.switch_page(f"../pages/{name}/{name}.py")
        app.query_params.clear()
        for key, value in (
            {key: scene.get(value, value) for key, value in query.items()} | more
        ).items():
            app.query_params[key] = value
        if page == "runs":
            app.session_state["runs_selected"] = (scene["live"], scene["ended"])
            app.session_state["runs_shown"] = (scene["live"], scene["ended"])
        if page == "draw":
            app.session_state["draw_selected"] = int(scene["drawing"])
        app.run()
        assert not app.exception
        return app

    return visited


def _arrive(look: Look, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    people = PEOPLE if look.has_sign_in else {}
    for name, value in (people | dict(look.environment)).items():
        monkeypatch.setenv(f"MNIST_DASH_{name}", value)
    app = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_SECONDS)
    if look.has_sign_in:
        app.secrets.update(AUTH)
    app.user = dict(look.user or {})
    return app.run()


def everything(store: Store) -> dict[str, list[sa.Row[tuple[object, ...]]]]:
    """Read every row of every table but those of the queue and of refusals."""
    tables = [table for table in schema.metadata.sorted_tables if table is not schema.audit]
    with store.reading() as connection:
        return {table.name: list(connection.execute(sa.select(table))) for table in tables}


def keys(app: AppTest) -> set[str]:
    """Name the buttons of a page."""
    return {str(button.key) for button in app.button}


def test_no_page_is_missing() -> None:
    """A new page has its line in the table."""
    assert {page.partition(",")[0] for page in PAGES} == set(navigation._NAMES)


@pytest.mark.parametrize("role", ROLES)
def test_every_page_by_every_role(visit: Visit, store: Store, role: str) -> None:
    """Who may edit has every control, who looks on sees the page without them, and nobody else sees anything."""
    look = ROLES[role]
    before, app = everything(store), None
    for page, (title, _query, buttons) in PAGES.items():
        app = visit(look, page, app)
        offered = set(buttons) & keys(app)
        if look.sees == "nothing":
            assert not app.title, page
            turned_away = (
                "has no role on this dashboard",
                "is not verified",
                "You are not signed in",
            )
            assert any(said in app.error[0].value for said in turned_away), page
            assert keys(app) == ({"visitor_out"} if look.user else {"visitor_in_None"}), page
            continue
        assert app.title[0].value.startswith(title), page
        assert not app.error, page
        assert offered == (set(buttons) if look.sees in ("everything", "offers") else set()), page
        assert ("Share links" in texts(app)) == (page == "system" and look.sees == "everything"), (
            page
        )
        assert ("View only" in texts(app)) == (look.sees == "looks"), page
    assert everything(store) == before


def test_nothing_that_a_viewer_presses_changes_anything(visit: Visit, store: Store) -> None:
    """Every button that is left on any page is pressed; no row of any table is another, and no action was even asked for."""
    before, n_pressed, app = everything(store), 0, None
    for page in PAGES:
        app = visit(ROLES["viewer"], page, app)
        for key in sorted(keys(app) - {"visitor_out"}):
            found = [button for button in app.button if button.key == key and not button.disabled]
            if found:
                found[0].click().run()
                assert not app.exception
                n_pressed += 1
    assert n_pressed > 10
    assert everything(store) == before
    assert sharing.refusals(store) == ()


def test_forged_presses_change_nothing(visit: Visit, store: Store) -> None:
    """What an editor's browser sends for each button that changes something, sent by a viewer's, does nothing."""
    before, editor, viewer = everything(store), None, None
    for page in [page for page, (_, _, buttons) in PAGES.items() if buttons]:
        buttons = PAGES[page][2]
        editor = visit(ROLES["editor"], page, editor)
        ids = [editor.button(key=key).proto.id for key in buttons]
        viewer = visit(ROLES["viewer"], page, viewer)
        message = WidgetStates()
        for widget_id in ids:
            message.widgets.add(id=widget_id, trigger_value=True)
        viewer._run(message)
        assert not viewer.exception
    assert everything(store) == before


def test_role_that_is_taken_away_stops_the_press(
    visit: Visit, store: Store, scene: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that was drawn for an editor and pressed by one who no longer is: refused in the action, said, and kept."""
    app = visit(ROLES["editor"], "run")
    monkeypatch.setenv("MNIST_DASH_EDITORS", "")
    monkeypatch.setenv("MNIST_DASH_VIEWERS", "@lab.org")
    app.session_state["admission_memory"] = None
    app.button(key="run_stop").click().run()
    assert "Only an editor may stop run" in app.toast[0].value
    assert not store.run(scene["live"]).stop_requested
    assert [refusal[1] for refusal in sharing.refusals(store)] == ["ann@lab.org"]


@pytest.mark.parametrize("role", ["visitor", "admin", "owner of a laptop"])
def test_share_link_shows_its_view_and_nothing_else(
    visit: Visit, store: Store, scene: dict[str, str], role: str
) -> None:
    """The same view for whoever has it, without a control that writes and without a way elsewhere."""
    before = everything(store)
    for page, link in (("run", "link"), ("study", "link of study")):
        title, _, buttons = PAGES[page]
        app = visit(ROLES[role], page, token=scene[link])
        assert app.title[0].value.startswith(title)
        assert "Shared view, read-only." in texts(app)
        assert not set(buttons) & keys(app)
        assert app.query_params["token"] in (scene[link], [scene[link]])
        app.switch_page("../pages/runs/runs.py")
        app.run()
        assert app.error[0].value.startswith("This share link does not include this page")
        app.switch_page("../pages/run/run.py")
        app.query_params["run"] = scene["ended"]
        app.query_params.pop("token", None)  # it stays with the session
        app.run()
        assert not app.exception
        assert app.error[0].value.startswith("This share link is not for")
    assert everything(store) == before


def test_view_is_the_one_that_was_shared(visit: Visit, store: Store, scene: dict[str, str]) -> None:
    """The link has the address with its choices; a run's charts are those of the editor's page."""
    editor = visit(ROLES["editor"], "run", x="step", smooth="0.5")
    editor.button(key="share_make").click().run()
    query = parse_qs(editor.code[0].value.partition("?")[2])
    assert {name: values[0] for name, values in query.items() if name != "token"} == {
        "run": scene["live"],
        "x": "step",
        "smooth": "0.5",
    }
    shared = visit(ROLES["visitor"], "run", **{name: values[0] for name, values in query.items()})
    for kind in ("metric", "slider", "segmented_control", "toggle"):
        assert [element.value for element in shared.get(kind)] == [  # type: ignore[union-attr]
            element.value  # type: ignore[union-attr]
            for element in editor.get(kind)
        ]
    (link, _) = sharing.links(store, target=scene["live"])
    assert link.person == "ann@lab.org"


@pytest.mark.parametrize("role", ["visitor", "admin", "owner of a laptop"])
def test_wrong_token_is_a_sentence_and_nothing_else(
    visit: Visit, store: Store, scene: dict[str, str], role: str
) -> None:
    """Forged, expired and revoked links say the same, whoever opens them."""
    expired, revoked = (sharing.create(store, "run", "", [scene["live"]]) for _ in range(2))
    table = schema.share_links
    with store.writing() as connection:
        for made, change in ((expired, {"expires_at": 1.0}), (revoked, {"revoked_at": 1.0})):
            connection.execute(
                table.update().where(table.c.id == made.partition(".")[0]).values(change)
            )
    for token in (" ", "forged", "0123456789abcdef.x", expired, revoked):
        app = visit(ROLES[role], "run", token=token)
        assert [error.value for error in app.error] == [sharing._INVALID]
        assert not [*app.title, *app.button, *app.caption, *app.metric, *app.markdown]


def test_revoked_link_ends_an_open_page(visit: Visit, store: Store, scene: dict[str, str]) -> None:
    """Whoever has it open sees no more of it."""
    app = visit(ROLES["visitor"], "run", token=scene["link"])
    sharing.revoke(store, scene["link"].partition(".")[0])
    app.session_state["admission_memory"] = None
    app.run()
    assert [error.value for error in app.error] == [sharing._INVALID]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("server.address", "0.0.0.0"),  # noqa: S104
        ("server.address", None),
        ("server.allowedHosts", ["dash.example.org"]),
    ],
)
def test_server_that_others_reach_serves_nothing(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, option: str, value: object
) -> None:
    """Without a sign-in it says why and what to do, and opens no store; read-only and said explicitly it serves."""
    former = st.get_option(option)
    laptop = ROLES["owner of a laptop"]
    started: list[object] = []
    monkeypatch.setattr(
        "mnist_dash.ui.server.lifespan.ensure_workers",
        lambda *_arguments, **_options: started.append(1),
    )
    from streamlit import config

    config.set_option(option, value)
    try:
        app = visit(laptop, "runs")
        keep_workers(Settings.from_environment())
        assert (
            "so others can reach it, but it has no sign-in and is not read-only"
            in app.error[0].value
        )
        assert not [*app.title, *app.button, *started]
        assert (
            visit(Look("looks", environment=(("READ_ONLY", "1"),), has_sign_in=False), "runs")
            .title[0]
            .value
            == "Runs"
        )
        monkeypatch.delenv("MNIST_DASH_READ_ONLY")
        monkeypatch.setenv("MNIST_DASH_ALLOW_UNAUTHENTICATED", "1")
        keep_workers(Settings.from_environment())
        assert started
        editor = visit(
            Look("offers", environment=(("ALLOW_UNAUTHENTICATED", "1"),), has_sign_in=False), "runs"
        )
        assert {"runs_Stop", "runs_Delete"} <= keys(editor)
        assert "Share links" not in texts(visit(Look("offers", has_sign_in=False), "system"))
    finally:
        config.set_option(option, former)


@pytest.mark.usefixtures("store")
def test_request_through_a_proxy_is_not_the_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy on the same machine reaches a loopback address too."""
    monkeypatch.setattr(type(st.context), "headers", {"X-Forwarded-For": "203.0.113.9"})
    app = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_SECONDS).run()
    assert "so others can reach it" in app.error[0].value
    assert not app.title


def test_admin_revokes_links_of_others(visit: Visit, store: Store, scene: dict[str, str]) -> None:
    """The System page lists every link, what was refused, and who has which role."""
    viewer = store.acting_for(Person(Role.VIEWER, "guest@example.org"))
    with pytest.raises(Exception, match="Only an editor may delete runs"):
        run_actions.delete(viewer, [scene["ended"]])
    app = visit(ROLES["admin"], "system")
    assert app.dataframe[0].value["Who"].tolist() == ["guest@example.org"]
    app.button(key=f"share_revoke_{scene['link'].partition('.')[0]}").click().run()
    assert sharing.links(store, target=scene["live"]) == ()


def test_secrets_that_cannot_be_read_let_nobody_in(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged file may have held a sign-in."""
    from streamlit import config

    path = tmp_path / "secrets.toml"
    path.write_text("[auth\n")
    former = st.get_option("secrets.files")
    config.set_option("secrets.files", [str(path)])
    try:
        app = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_SECONDS).run()
        assert "The file of secrets is not valid TOML" in app.error[0].value
        assert not app.title
    finally:
        config.set_option("secrets.files", former)


def test_so_many_visitors_of_a_link_and_no_more(
    store: Store, scene: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opens a link at which as many look as may reads that, and sees nothing of the run."""
    monkeypatch.setenv("MNIST_DASH_MAX_LINK_SESSIONS", "1")
    link_use.SERVER.enter(scene["link"].partition(".")[0], "somebody else", most=1)
    app = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_SECONDS)
    app.query_params["token"] = scene["link"]
    app.run()
    assert "1 session of this share link is open now" in texts(app)
    assert store.run(scene["live"]).title not in texts(app)
