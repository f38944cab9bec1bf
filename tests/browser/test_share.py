"""A server with a sign-in: an editor shares a view, and a second, signed-out profile opens it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, WebSocket, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.layers import Dense, Flatten
from mnist_dash.runs.access import sharing
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.states import RunState
from tests.browser.conftest import READY, Dashboard, free_port, serve
from tests.waiting import PATIENCE_MS, wait_until

SECRET = "a secret of this test alone, of 32 bytes or more"  # noqa: S105 - signs this test's cookies
LONG = RunConfig(
    layers=(Flatten(), Dense(units=10, activation="softmax")), epochs=1000, batch_size=100
)
KEEP_SOCKETS = """
const Native = window.WebSocket;
window.sockets = [];
window.WebSocket = class extends Native { constructor(...all) { super(...all); window.sockets.push(this); } };
"""
SEND = "text => window.sockets.at(-1).send(Uint8Array.from(atob(text), letter => letter.charCodeAt(0)))"
NewProfile = Callable[..., Page]


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard with a sign-in, on which visitors are nobody."""
    home, port = tmp_path_factory.mktemp("hosted"), free_port()
    secrets = home / "secrets.toml"
    secrets.write_text(
        f'MNIST_DASH_EDITORS = "@lab.org"\n[auth]\nredirect_uri = "http://localhost:{port}/oauth2callback"\ncookie_secret = "{SECRET}"\n'
        'client_id = "dash"\nclient_secret = "dash"\nserver_metadata_url = "http://localhost:9/.well-known/openid-configuration"\n'
    )
    with serve(home, port, "--secrets.files", str(secrets)) as served:
        yield served


@pytest.fixture
def new_profile(browser: Browser, hosted: Dashboard) -> Iterator[NewProfile]:
    """Open profiles with nothing in common: signed in as somebody, with the cookie that the sign-in's callback sets, or signed out."""
    contexts = []

    def opened(email: str | None = None) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        contexts.append(context)
        if email is not None:
            claims = {
                "email": email,
                "email_verified": True,
                "is_logged_in": True,
                "origin": hosted.url,
            }
            value = create_signed_value(SECRET, "_streamlit_user", json.dumps(claims)).decode()
            context.add_cookies([{"name": "_streamlit_user", "value": value, "url": hosted.url}])
        context.add_init_script(KEEP_SOCKETS)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        return page

    yield opened
    for context in contexts:
        context.close()


def everything(hosted: Dashboard) -> dict[str, object]:
    """Read what a person can change: which runs there are, what was asked of them, and every row of studies, drawings and links."""
    tables = (
        schema.studies,
        schema.trials,
        schema.drawings,
        schema.share_links,
        schema.analyses,
        schema.study_events,
    )
    asked = sa.select(
        *(
            schema.runs.c[name]
            for name in ("id", "config", "stop_requested", "deleted_at", "name", "notes", "starred")
        )
    )
    with hosted.store.reading() as connection:
        found: dict[str, object] = {
            table.name: connection.execute(sa.select(table)).all() for table in tables
        }
        return found | {"runs": connection.execute(asked.order_by(schema.runs.c.id)).all()}


def listen(page: Page) -> list[bytes]:
    """Collect what a page sends over its WebSocket from now on."""
    sent: list[bytes] = []

    def attach(socket: WebSocket) -> None:
        socket.on(
            "framesent",
            lambda frame: sent.append(frame if isinstance(frame, bytes) else frame.encode()),
        )

    page.on("websocket", attach)
    return sent


def presses(page: Page, sent: list[bytes]) -> list[BackMsg]:
    """Find the messages with which a button was pressed."""
    page.evaluate("0")  # Playwright hands over what it has heard while one talks to it
    messages = [BackMsg.FromString(frame) for frame in sent]
    return [
        message
        for message in messages
        if any(widget.trigger_value for widget in message.rerun_script.widget_states.widgets)
    ]


def press(page: Page, message: BackMsg) -> None:
    """Send a message over the page's own WebSocket."""
    page.evaluate(SEND, base64.b64encode(message.SerializeToString()).decode())


def expect_same_view(editor: Page, visitor: Page, run_id: str) -> None:
    """See the editor's choices on the visitor's page, and nothing there that writes or leads elsewhere."""
    expect(visitor.get_by_role("heading", name=run_id)).to_be_visible()
    expect(visitor.get_by_text("Shared view, read-only.")).to_be_visible()
    for page in (editor, visitor):
        page.get_by_role("button", name="Axes").click()
        expect(page.get_by_role("radio", name="step")).to_be_checked()
        expect(page.get_by_role("switch", name="Log loss")).to_be_checked()
    expect(editor.locator(".st-key-run_stop")).to_have_count(1)
    expect(
        visitor.locator(
            '.st-key-run_stop, [data-testid="stPopover"]:has-text("Share"), [class*="st-key-visitor_"]'
        )
    ).to_have_count(0)
    for name in ("Train", "Runs", "Clone and edit", "System"):
        expect(visitor.get_by_role("link", name=name)).to_have_count(0)


@pytest.mark.slow
def test_visitors_are_nobody(new_profile: NewProfile, hosted: Dashboard) -> None:
    """Without a role there is the way to sign in, and nothing else."""
    for email in (None, "eve@example.com"):
        page = new_profile(email)
        page.goto(f"{hosted.url}/runs")
        expect(
            page.get_by_text(
                "You are not signed in" if email is None else "has no role on this dashboard"
            )
        ).to_be_visible()
        expect(
            page.get_by_role("button", name="Sign in" if email is None else "Sign out", exact=True)
        ).to_be_visible()
        expect(page.get_by_role("heading", name="Runs")).to_have_count(0)
        expect(page.get_by_role("link", name="Train")).to_have_count(0)


def test_shared_view_in_a_signed_out_profile(new_profile: NewProfile, hosted: Dashboard) -> None:
    """The same view, no control that writes; what an editor's browser sends to write, sent over its WebSocket, writes nothing."""
    store = hosted.store
    other, shared = (
        run_actions.submit(store, LONG.model_copy(update={"seed": seed})) for seed in (1, 2)
    )
    assert store.workers() == ()  # nobody who was turned away has started one
    editor = new_profile("ann@lab.org")
    sent = listen(editor)
    editor.goto(f"{hosted.url}/system")
    wait_until(lambda: store.run(other).epoch >= 1, "the other run trains")
    editor.goto(f"{hosted.url}/run?run={other}")
    editor.wait_for_selector(".st-key-run_curves_chart .live-plot[data-draws]")
    editor.locator(
        ".st-key-run_stop button"
    ).first.click()  # what is sent for it is played back below
    wait_until(lambda: store.run(other).state is RunState.STOPPED, "the other run is stopped")
    wait_until(lambda: store.run(shared).epoch >= 2, "the shared run trains")
    (stop,) = presses(editor, sent)

    editor.goto(f"{hosted.url}/run?run={shared}&x=step&log=true")
    editor.wait_for_selector(".st-key-run_curves_chart .live-plot[data-draws]")
    editor.get_by_role("button", name=re.compile("Share")).click()
    editor.get_by_role("button", name=re.compile("Create link")).click()
    address = editor.locator('[data-testid="stCode"]').inner_text().strip()
    assert re.fullmatch(
        rf"{hosted.url}/run\?run={shared}&\S*token=[0-9a-f]{{16}}\.[\w-]{{43}}", address
    )

    visitor = new_profile()
    visitor.goto(address)
    visitor.wait_for_selector(".st-key-run_curves_chart .live-plot[data-draws]")
    expect_same_view(editor, visitor, shared)
    n_epochs = store.run(shared).epoch
    wait_until(lambda: store.run(shared).epoch > n_epochs, "it still trains")

    before = everything(hosted)
    own, whole = (
        BackMsg.FromString(stop.SerializeToString()),
        BackMsg.FromString(stop.SerializeToString()),
    )
    own.rerun_script.query_string = address.partition("?")[2]
    whole.rerun_script.fragment_id = ""  # the page as a whole, at the editor's address
    press(visitor, whole)
    expect(visitor.get_by_text("This share link is not for")).to_be_visible()
    for message in (own, stop):
        press(visitor, message)
        visitor.wait_for_timeout(1500)
    assert everything(hosted) == before
    assert store.run(shared).state is RunState.RUNNING
    visitor.goto(f"{hosted.url}/run?run={shared}")
    expect(visitor.get_by_text("You are not signed in")).to_be_visible()
    press(visitor, own)  # without the token in the address of the page, but in the message
    visitor.wait_for_timeout(1500)
    assert everything(hosted) == before

    visitor.goto(address)
    visitor.wait_for_selector(READY)
    editor.bring_to_front()
    sharing.revoke(store, address.partition("token=")[2].partition(".")[0])
    expect(
        visitor.get_by_text("This share link is unknown, has expired or was revoked")
    ).to_be_visible()
    expect(visitor.get_by_role("heading", name=shared)).to_have_count(0)
    whole.rerun_script.query_string = f"run={shared}"
    press(editor, whole)  # the same message from who may: it is one that writes
    wait_until(lambda: store.run(shared).state is RunState.STOPPED, "the editor's message stops it")


@pytest.mark.slow
@pytest.mark.parametrize("token", ["x", f"{'0' * 16}.{'x' * 43}"])
def test_wrong_link_says_so_and_nothing_else(
    new_profile: NewProfile, hosted: Dashboard, token: str
) -> None:
    """The page has one sentence."""
    page = new_profile()
    page.goto(f"{hosted.url}/run?run=1&token={token}")
    page.wait_for_selector(READY)
    expect(page.locator('[data-testid="stMain"]')).to_have_text(
        re.compile(
            r"^\W*(lock)?\W*This share link is unknown, has expired or was revoked.*new one\.$"
        )
    )
