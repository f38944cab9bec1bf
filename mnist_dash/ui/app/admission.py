"""Who looks on: the owner of the machine, somebody who has signed in, a visitor, or somebody with a share link; or nobody at all.

Every rule is here. What each may do is checked where it is done, by `mnist_dash.runs.access.permission.require`.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from mnist_dash.errors import InvalidInput, MnistDashError, NotAllowed
from mnist_dash.redaction import keep_secret
from mnist_dash.runs.access import link_use
from mnist_dash.runs.store.identities import OWNER, Person, Role, role_of
from mnist_dash.settings import Access, Settings

if TYPE_CHECKING:
    from mnist_dash.runs.store.run_store import Store

TOKEN = "token"  # noqa: S105 - the name of a parameter
"""What a share link's secret is called in the address."""
MEMORY_SECONDS = 2.0
"""For so long a session is not asked again who it is; a revoked link shows its page so long at most."""
_TOKEN_KEY, _MEMORY_KEY = "admission_token", "admission_memory"
_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-Ip")
"""What a proxy adds to a request."""


@dataclass(frozen=True)
class _Memory:
    person: Person
    moment: float


def settings() -> Settings:
    """Read the settings from the environment and from Streamlit's secrets, which become environment variables when they are read.

    Raises:
        InvalidInput: a setting is not one.
    """
    secrets()
    return Settings.from_environment()


def person(found: Settings, store: Callable[[], Store]) -> Person:
    """Say who looks on in this session.

    Args:
        found: who may.
        store: opens the store without asking; only called for somebody with a share link.

    Raises:
        NotAllowed: nobody who may be here.
    """
    if get_script_run_ctx() is None:
        return Person(Role.VIEWER)  # no session asks: a thread, or a test
    memory: _Memory | None = st.session_state.get(_MEMORY_KEY)
    if (
        memory is not None
        and token() == st.session_state.get(_TOKEN_KEY)
        and time.monotonic() - memory.moment < MEMORY_SECONDS
    ):
        return memory.person
    st.session_state.pop(_MEMORY_KEY, None)
    try:
        admitted = _admit(found.access, store)
    except NotAllowed:
        if memory is not None:
            st.rerun()  # what ticks on a page that was open until now gives way to the sentence
        raise
    st.session_state[_MEMORY_KEY] = _Memory(admitted, time.monotonic())
    return admitted


def token() -> str | None:
    """Give the token of the share link by which this session came; it stays with the session."""
    return st.query_params.get(TOKEN) or st.session_state.get(_TOKEN_KEY)


def keep_token() -> None:
    """Keep the token in the address of a session that came by one, so that a reload shows the same."""
    kept = token()
    if kept is not None and st.query_params.get(TOKEN) != kept:
        st.query_params[TOKEN] = kept


def secrets() -> dict[str, object]:
    """Read Streamlit's secrets; empty where there are none.

    Raises:
        InvalidInput: there are, but they cannot be read; nobody is let in then.
    """
    try:
        found = dict(st.secrets.to_dict())
    except FileNotFoundError as error:
        there = [path for path in st.get_option("secrets.files") if Path(path).exists()]
        if there:
            raise InvalidInput(
                f"The file of secrets is not valid TOML: {error} Correct {Path(there[0]).name}, or remove it."
            ) from error
        return {}
    _keep_secrets(found)
    return found


def _keep_secrets(section: Mapping[str, object]) -> None:
    for name, value in section.items():
        if isinstance(value, Mapping):
            _keep_secrets(value)
        elif isinstance(value, str) and "secret" in name:
            keep_secret(value)


def is_admin() -> bool:
    """Say whether whoever looks on runs this server, without asking the database: it may be what does not answer."""
    if token() is not None:
        return False
    try:
        return _admit(settings().access, _no_store).role.covers(Role.ADMIN)
    except MnistDashError:
        return False


def _no_store() -> NoReturn:
    raise NotAllowed("Share links are looked up in the database.")


def providers() -> tuple[str | None, ...]:
    """Name the configured ways to sign in, as `st.login` takes them: None for the only one; none where there is no sign-in."""
    section = secrets().get("auth")
    if not isinstance(section, dict) or not section:
        return ()
    named = tuple(
        name for name, part in section.items() if isinstance(part, dict) and "client_id" in part
    )
    return ((None,) if "client_id" in section else ()) + named or (None,)


def email(access: Access) -> str | None:
    """Give the verified e-mail of whoever has signed in; None for visitors."""
    claims = st.user.to_dict()
    found, verified = claims.get("email"), claims.get("email_verified")
    is_verified = verified in (True, "true") or (verified is None and access.trust_emails)
    return (
        found.strip().lower()
        if claims.get("is_logged_in") is True and isinstance(found, str) and is_verified
        else None
    )


def is_local() -> bool:
    """Say whether only this machine itself reaches the server: by the address it listens on, its host names, and the session's request."""
    return listens_locally() and is_direct(st.context.headers)


def listens_locally() -> bool:
    """Say whether the address that the server listens on and its host names are this machine's own."""
    return all(
        map(
            is_loopback,
            [st.get_option("server.address"), *(st.get_option("server.allowedHosts") or ())],
        )
    )


def is_direct(headers: Mapping[str, str]) -> bool:
    """Say whether a request came without a proxy."""
    return not any(name in headers for name in _FORWARDED)


def may_admit(access: Access) -> bool:
    """Say, before anybody has come, whether this server lets somebody in."""
    return (
        bool(providers()) or access.read_only or access.allow_unauthenticated or listens_locally()
    )


def _admit(access: Access, store: Callable[[], Store]) -> Person:
    has_sign_in = bool(providers())
    if not (has_sign_in or access.read_only or access.allow_unauthenticated or is_local()):
        address = st.get_option("server.address") or "all addresses of this machine"
        raise NotAllowed(
            f"This server listens on {address}, so others can reach it, but it has no sign-in and is not read-only. "
            "To use it on this machine alone, start it with `--server.address localhost`. To let others in, configure [auth] in "
            ".streamlit/secrets.toml, set MNIST_DASH_READ_ONLY=1, or allow everybody with MNIST_DASH_ALLOW_UNAUTHENTICATED=1."
        )
    wanted = token()
    if wanted is not None:
        # And the database's libraries with it, for which the workers' start does not wait.
        from mnist_dash.runs.access import (
            sharing,
        )

        admitted = sharing.visitor(store(), wanted)
        context = get_script_run_ctx()
        link_use.SERVER.enter(
            wanted.partition(".")[0],
            "" if context is None else context.session_id,
            most=access.link_sessions,
        )
        st.session_state[_TOKEN_KEY] = wanted
        return admitted
    if has_sign_in:
        who = email(access)
        role = role_of(access, who)
        if role is None:
            raise NotAllowed(_turned_away(who))
        return Person(role, who)
    if access.read_only:
        return Person(Role.VIEWER)
    return OWNER if is_local() else Person(Role.EDITOR)


def _turned_away(who: str | None) -> str:
    if who is not None:
        return f"{who} has no role on this dashboard. Ask an admin for one."
    if st.user.to_dict().get("is_logged_in"):
        return "Your e-mail address is not verified. Verify it with your sign-in provider, then sign in again."
    return "You are not signed in. Sign in, or ask for a share link."


def is_loopback(host: str | None) -> bool:
    """Say whether an address or a host name is this machine's own."""
    name = (host or "").strip("[]")
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
