"""What all views of a comparison share: the runs in the address, their names and looks, and what is chosen in the address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.naming import network_name
from mnist_dash.figures.compare.look import Look, looks
from mnist_dash.runs.query import comparison
from mnist_dash.runs.query.comparison import NETWORK, Answers, Compared, Group
from mnist_dash.runs.store.records import Run
from mnist_dash.text import plural
from mnist_dash.ui.app.resources import store

RUNS = "runs"
"""The ids of the runs, in the address, with commas between them."""
NO_GROUPS, ALL_BUT_SEED = "each run alone", "all but the seed"
OF_THE_RUNS = ("a", "b", "reference")
"""Choices in the address that name a run or a group, and go when other runs are compared."""
_MOST_IN_TITLE, _LONGEST_TITLE = 3, 70


class Drawable(Protocol):
    """A Plotly figure."""

    def to_json(self) -> str:
        """Write it for the browser."""


@dataclass(frozen=True)
class Board:
    """The runs that are compared, as the page shows them.

    Attributes:
        compared: the runs, their histories and settings.
        names: id -> the run's name, as typed; each different.
        looks: id -> colour and dash, the same in every figure.
        version: differs wherever anything of the runs does; names what is cached of them.
    """

    compared: Compared
    names: Mapping[str, str]
    looks: Mapping[str, Look]
    version: str

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs, in the order of the address."""
        return self.compared.runs

    def said(self, run_id: str) -> str:
        """Give a run's name for Markdown."""
        return formatting.plain(self.names[run_id])


@dataclass(frozen=True)
class NamedGroup:
    """A group of runs with a letter and what makes it."""

    letter: str
    title: str
    """Settings that tell it from the others, as they are; escaped by whoever shows it."""
    group: Group
    look: Look


def wanted_ids() -> tuple[str, ...]:
    """Read the runs from the address, each once."""
    parts = (part.strip() for part in st.query_params.get(RUNS, "").split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def set_runs(run_ids: Sequence[str]) -> None:
    """Write the runs into the address; choices that name one of the former go."""
    for name in OF_THE_RUNS:
        if st.query_params.get(name) not in run_ids:
            st.query_params.pop(name, None)
    if run_ids:
        st.query_params[RUNS] = ",".join(dict.fromkeys(run_ids))
    else:
        st.query_params.pop(RUNS, None)


def board(run_ids: Sequence[str]) -> Board:
    """Read the runs, once for all sessions that look at these revisions of them.

    Raises:
        InvalidInput: there are too many.
        NotAllowed: a share link is not for one of them.
    """
    ids = tuple(run_ids)
    store().check_readable(ids)  # what others have looked at is kept for all
    return _board(
        store().settings.database_url,
        ids,
        comparison.revisions(store(), ids[: comparison.MOST_RUNS]),
    )


@st.cache_resource(show_spinner=False, max_entries=32)
def _board(
    database_url: str, run_ids: tuple[str, ...], revisions: tuple[tuple[str, int, bool], ...]
) -> Board:
    compared = comparison.load(store(), run_ids)
    count = Counter(run.title for run in compared.runs)
    names = {
        run.id: run.title if count[run.title] == 1 else f"{run.title} {run.id}"
        for run in compared.runs
    }
    return Board(
        compared,
        names,
        looks([run.id for run in compared.runs]),
        repr((database_url, run_ids, revisions)),
    )


def answers(run: Run) -> Answers:
    """Read what a run predicts for the test images, once for all sessions.

    Raises:
        ArtifactError: its probabilities are missing or damaged.
        DataError: the labels are.
    """
    return _answers(store().settings.database_url, run.id, run.revision, run)


@st.cache_resource(show_spinner=False, max_entries=256)
def _answers(_database_url: str, run_id: str, revision: int, _run: Run) -> Answers:  # noqa: ARG001 - the cache's key
    return comparison.answers(store(), _run)


def figure_json(board: Board, key: object, build: Callable[[], Drawable]) -> str:
    """Draw a figure once for all sessions that look at these revisions of the runs.

    Args:
        board: what it shows.
        key: whatever else decides it.
        build: draws it.
    """
    return _figure(board.version, repr(key), _build=build)


@st.cache_data(show_spinner=False, max_entries=128)
def _figure(version: str, key: str, *, _build: Callable[[], Drawable]) -> str:  # noqa: ARG001 - the cache's key
    return _build().to_json()


def choose(
    label: str,
    options: Sequence[str],
    name: str,
    *,
    default: str | None = None,
    named: Callable[[str], str] = str,
    width: int = 220,
    side_by_side: bool = False,
) -> str:
    """Offer a choice whose options depend on the runs; the address keeps it, and an impossible one in it is answered with a sentence.

    Args:
        label: of the field.
        options: at least one.
        name: in the address.
        default: the one that the address need not name; the first where None.
        named: how an option is printed.
        width: in pixels.
        side_by_side: whether all options are in sight, without a list that opens.
    """
    default = options[0] if default is None else default
    asked = st.query_params.get(name)
    if asked is not None and asked not in options:
        got = formatting.plain(asked[:40])
        st.error(
            f"The address names no known {label.lower()}: {name}={got}. Choose one below.",
            icon=":material/error:",
        )
    key = f"compare_{name}"
    st.session_state[key] = asked if asked in options else default
    how: dict[str, Any] = {
        "key": key,
        "format_func": named,
        "on_change": _write,
        "args": (name, default),
    }
    if side_by_side:
        return str(st.segmented_control(label, options, required=True, **how))
    return str(st.selectbox(label, options, width=width, **how))


def _write(name: str, default: str) -> None:
    chosen = str(st.session_state[f"compare_{name}"])
    if chosen == default:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = chosen


def setting_titles(compared: Compared) -> dict[str, str]:
    """Name the differing settings, by path: ``optimizer.learning_rate`` is the learning rate, ``layers.dense_1.units`` dense 1 units."""
    return {
        path: path.removeprefix("layers.")
        .removesuffix(".kind")
        .replace("optimizer.", "")
        .replace("_", " ")
        .replace(".", " ")
        for path in compared.settings
    }


def written(compared: Compared, run: Run, path: str) -> str:
    """Write what a differing setting is in one run: numbers short, a network by the layers that matter where these tell it apart."""
    value = compared.value(run.id, path)
    if path == NETWORK:
        return _networks(compared)[run.id]
    if value is None:
        return formatting.NOTHING
    return (
        formatting.number(value)
        if isinstance(value, float)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def _networks(compared: Compared) -> dict[str, str]:
    """Write networks in the shortest of three ways that tells all of them apart."""
    full = {run.id: str(compared.value(run.id, NETWORK)) for run in compared.runs}
    short = {run.id: network_name(run.config) for run in compared.runs}
    hidden = {
        run_id: text.removeprefix("flatten – ").rsplit(" – ", 1)[0].replace(", relu", "")
        for run_id, text in full.items()
    }
    n = len(set(full.values()))
    return next((ways for ways in (short, hidden) if len(set(ways.values())) == n), full)


def groups(board: Board, by: str | None = None) -> tuple[NamedGroup, ...]:
    """Put the runs into groups, with letters in their order.

    Args:
        board: the runs.
        by: a differing setting; None for all but the seed.
    """
    found = comparison.group_runs(board.compared, by)
    drawn = looks([group.run_ids[0] for group in found])
    names = setting_titles(board.compared)
    return tuple(
        NamedGroup(
            letter(place), _title(board.compared, group, names), group, drawn[group.run_ids[0]]
        )
        for place, group in enumerate(found)
    )


def choose_grouping(board: Board, *, alone: bool) -> str | None:
    """Offer what the runs are grouped by.

    Args:
        board: the runs.
        alone: whether each run may stand for itself, which is then the default.

    Returns:
        `NO_GROUPS`, a path of a setting, or None for all but the seed.
    """
    names = setting_titles(board.compared) | {NO_GROUPS: NO_GROUPS, ALL_BUT_SEED: ALL_BUT_SEED}
    options = [*([NO_GROUPS] if alone else []), ALL_BUT_SEED, *board.compared.settings]
    if not alone and st.query_params.get("group") == NO_GROUPS:
        st.query_params.pop("group")
    by = choose("Group by", options, "group", named=lambda option: names.get(option, option))
    return None if by == ALL_BUT_SEED else by


def letter(place: int) -> str:
    """Name the n-th of several: A to Z, then AA, AB ..."""
    return (letter(place // 26 - 1) if place >= 26 else "") + chr(ord("A") + place % 26)


def _title(compared: Compared, group: Group, names: Mapping[str, str]) -> str:
    """Say what makes a group; of many settings the first few that are set."""
    run = compared.run(group.run_ids[0])
    parts = [
        written(compared, run, path)
        if path == NETWORK
        else f"{names[path]} {written(compared, run, path)}"
        for path, value in group.values.items()
        if value is not None
    ]
    shown = parts[:_MOST_IN_TITLE]
    text = ", ".join(shown) + (" …" if len(parts) > len(shown) else "") or plural(
        len(group.run_ids), "run"
    )
    return text if len(text) <= _LONGEST_TITLE else f"{text[: _LONGEST_TITLE - 1]}…"
