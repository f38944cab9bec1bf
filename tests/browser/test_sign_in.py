"""Signing in by OpenID Connect, with a provider that really redirects and signs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from joserfc.jwk import RSAKey
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Dashboard, free_port, serve
from tests.browser.provider import Provider, provider
from tests.waiting import PATIENCE_MS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Dashboard, Provider]]:
    """A dashboard that asks the provider; editors are everybody of one domain."""
    home, port = tmp_path_factory.mktemp("signed-in"), free_port()
    file = home / "secrets.toml"
    with provider() as asked:
        file.write_text(
            f'MNIST_DASH_EDITORS = "@lab.org"\n[auth]\nredirect_uri = "http://localhost:{port}/oauth2callback"\n'
            'cookie_secret = "a secret of this test alone, of 32 bytes or more"\n'
            'client_id = "dash"\nclient_secret = "secret of the client"\n'
            f'server_metadata_url = "{asked.url}/.well-known/openid-configuration"\n'
        )
        with serve(home, port, "--secrets.files", str(file), MNIST_DASH_WORKERS="0") as served:
            yield served, asked


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A profile of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    context.close()


def sign_in(page: Page, url: str) -> None:
    """Press the button that leads to the provider."""
    page.goto(f"{url}/runs")
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_an_editor_signs_in_and_out(hosted: tuple[Dashboard, Provider], page: Page) -> None:
    """The verified e-mail gives the role; after signing out nothing is left of it."""
    dashboard, asked = hosted
    asked.claims = {"email": "Ann@lab.org", "email_verified": True}
    sign_in(page, dashboard.url)
    expect(page.get_by_text("ann@lab.org, editor")).to_be_visible()
    page.goto(dashboard.url)
    expect(page.locator(".st-key-train_submit")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are not signed in")).to_be_visible()
    expect(page.locator(".st-key-train_submit")).to_have_count(0)


def test_an_unverified_email_is_a_visitor(hosted: tuple[Dashboard, Provider], page: Page) -> None:
    """Whoever could have typed any address gets no role by it."""
    dashboard, asked = hosted
    asked.claims = {"email": "ann@lab.org", "email_verified": False}
    sign_in(page, dashboard.url)
    expect(page.get_by_text("is not verified")).to_be_visible()
    expect(page.get_by_role("link", name="Runs")).to_have_count(0)


def test_a_token_of_another_key_signs_nobody_in(
    hosted: tuple[Dashboard, Provider], page: Page
) -> None:
    """A token that the provider's published key did not sign is worth nothing."""
    dashboard, asked = hosted
    asked.claims = {"email": "ann@lab.org", "email_verified": True}
    right, asked.key = asked.key, RSAKey.generate_key(2048)
    sign_in(page, dashboard.url)
    page.wait_for_timeout(3000)
    asked.key = right
    page.goto(f"{dashboard.url}/runs")
    expect(page.get_by_text("You are not signed in")).to_be_visible()
