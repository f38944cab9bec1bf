"""The threat model names tests that exist, and a real server gives strangers nothing."""

from __future__ import annotations

import http.client
import re
import secrets
from collections.abc import Iterator

import pytest

from mnist_dash.errors import MnistDashError
from mnist_dash.search.definition.study_files import parse_study
from tests.browser.conftest import Dashboard, free_port, serve
from tests.source_tree import ROOT

MODEL = (ROOT / "docs" / "security.md").read_text()
ROWS = re.findall(r"^\| (?!who \|)(?!---)(.+?) \| (.+?) \| (.+?) \| (\S+) \|$", MODEL, re.MULTILINE)
MARK = b"what lies in the home " + secrets.token_hex(8).encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard whose home has files with a mark in them."""
    home = tmp_path_factory.mktemp("marked")
    for name in ("secrets.toml", "artifacts/1a/1a2b3c4d/weights.safetensors", "logs/workers.log"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(MARK)
    with serve(home, free_port(), MNIST_DASH_WORKERS="0") as dashboard:
        yield dashboard


def ask(
    dashboard: Dashboard, path: str, *, method: str = "GET", **headers: str
) -> tuple[int, bytes]:
    """Send one request as it stands, which a browser would tidy up, and return status and body."""
    connection = http.client.HTTPConnection(dashboard.url.removeprefix("http://"), timeout=30)
    connection.request(
        method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    answer = connection.getresponse()
    content = b"" if answer.status == http.HTTPStatus.SWITCHING_PROTOCOLS else answer.read()
    connection.close()
    return answer.status, content


def upgrade(dashboard: Dashboard, **headers: str) -> int:
    """Ask for the page's WebSocket, and return the status."""
    wanted = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    return ask(dashboard, "/_stcore/stream", **(wanted | headers))[0]


def test_every_threat_names_a_test() -> None:
    """Each row of the table has one, and it is there."""
    table = [line for line in MODEL.splitlines() if line.startswith("| ")]
    assert len(ROWS) == len(table) - 1  # the heading
    for *_, test in ROWS:
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(), test


@pytest.mark.parametrize(
    "root", ["/media/", "/component/", "/_stcore/bidi-components/", "/app/static/", "/static/"]
)
@pytest.mark.parametrize(
    "up",
    [
        "",
        "../" * 12,
        "..%2f" * 12,
        "%2e%2e/" * 12,
        "..%5c" * 12,
        "mnist_dash.live_plot/" + "../" * 14,
    ],
)
def test_no_address_gives_a_file_of_the_server(served: Dashboard, root: str, up: str) -> None:
    """Neither climbing out of a folder nor an absolute path nor a guessed name gives what lies in the home."""
    home = str(served.store.settings.home).lstrip("/")
    for name in (
        "secrets.toml",
        "artifacts/1a/1a2b3c4d/weights.safetensors",
        "logs/workers.log",
        "mnist_dash.db",
    ):
        for path in (f"{up}{home}/{name}", f"{up}/{home}/{name}", f"{up}{name}"):
            status, content = ask(served, root + path)
            assert MARK not in content
            assert b"SQLite format 3" not in content
            if root not in ("/static/", "/app/static/"):  # whose unknown paths are the page itself
                assert status >= http.HTTPStatus.BAD_REQUEST, path


def test_strangers_upload_nothing(served: Dashboard) -> None:
    """A file for a session that is not there is refused."""
    for session in ("unknown", "0" * 36):
        assert (
            ask(
                served,
                f"/_stcore/upload_file/{session}/file",
                method="PUT",
                Content_Type="multipart/form-data; boundary=x",
            )[0]
            >= 400
        )


def test_agents_are_not_served(served: Dashboard) -> None:
    """Streamlit's way for programs to drive a page is off."""
    for path in ("/_stcore/agent/interact", "/_stcore/agent/mcp"):
        status, content = ask(served, path, method="POST", Content_Type="application/json")
        assert status >= http.HTTPStatus.BAD_REQUEST
        assert b"does not serve the agent API" in content


def test_foreign_websites_open_no_websocket(served: Dashboard) -> None:
    """A page of another website that the owner has open is refused; the dashboard's own is not."""
    assert upgrade(served, Origin=served.url) == http.HTTPStatus.SWITCHING_PROTOCOLS
    for origin in ("https://evil.example", "http://localhost.evil.example", "null"):
        assert upgrade(served, Origin=origin) == http.HTTPStatus.FORBIDDEN


def test_foreign_hosts_open_no_websocket(served: Dashboard) -> None:
    """A name of an attacker's that leads to this machine is refused, though Host and Origin agree."""
    for host in ("evil.example", "evil.example:8501", "localhost.evil.example"):
        assert upgrade(served, Host=host, Origin=f"http://{host}") == http.HTTPStatus.FORBIDDEN


def test_nothing_is_unpickled() -> None:
    """No module has what executes what it reads."""
    ways = re.compile(
        r"\bpickle\.load|\btorch\.load\(|allow_pickle=True|\byaml\.(unsafe_|full_)?load\(|(?<![.\w])(eval|exec)\(|shell=True"
    )
    found = [
        path.name for path in (ROOT / "mnist_dash").rglob("*.py") if ways.search(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "name: !!python/object/apply:os.system [id]\n",
        "name: !!python/name:os.system\n",
        "a: &a [x, x]\nb: &b [*a, *a, *a, *a]\nc: [*b, *b, *b, *b]\nname: c\n",
    ],
)
def test_study_files_make_no_objects(text: str) -> None:
    """Tags of Python's and aliases are a sentence."""
    with pytest.raises(MnistDashError):
        parse_study(text)
