"""Names, notes, stars, tags, the archive and saved views: kept as typed, refused with a sentence, changed by those who may."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import (
    IllegalTransition,
    InvalidInput,
    MnistDashError,
    NotAllowed,
    UnknownRun,
)
from mnist_dash.runs.actions import run_actions, run_annotations, views
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.identities import Person, Role
from mnist_dash.runs.store.run_store import Store
from tests.trained import tags_of


@pytest.fixture
def run(store: Store) -> str:
    """A run that has ended."""
    run_id = run_actions.submit(store, RunConfig())
    run_actions.stop(store, run_id)
    return run_id


def test_what_is_written_is_kept_as_typed(store: Store, run: str) -> None:
    """Markdown, HTML and other scripts are text; white space around a name is not."""
    name, notes = "  <b>*wide*</b> 幅 `x`  ", "Line one\n\t$x$ <script>\nüber"
    run_annotations.rename(store, run, name)
    run_annotations.write_notes(store, run, notes)
    run_annotations.star(store, [run])
    known = store.run(run)
    assert (known.name, known.notes, known.starred) == (name.strip(), notes, True)
    run_annotations.rename(store, run, "   ")
    run_annotations.write_notes(store, run, "")
    run_annotations.star(store, [run], starred=False)
    known = store.run(run)
    assert (known.name, known.notes, known.starred) == (None, None, False)


def test_tags_are_a_set(store: Store, run: str) -> None:
    """The same tag again changes nothing; one that is not there is taken off without ado."""
    other = run_actions.submit(store, RunConfig())
    run_annotations.add_tags(store, [run], ["demo", " v1.2 "])
    run_annotations.add_tags(store, [run, other], ["demo", "Für-später"])
    assert tags_of(store, run) == ("Für-später", "demo", "v1.2")
    run_annotations.remove_tags(store, [run, other], ["demo", "nothing"])
    assert (tags_of(store, run), tags_of(store, other)) == (("Für-später", "v1.2"), ("Für-später",))
    with pytest.raises(InvalidInput, match="at most 50 tags"):
        run_annotations.add_tags(store, [run], [f"tag{number}" for number in range(49)])
    assert len(tags_of(store, run)) == 2


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (
            lambda store, run: run_annotations.rename(store, run, "x" * 121),
            r"has 121 characters, which are too many \(at most 120\)",
        ),
        (
            lambda store, run: run_annotations.rename(store, run, "a\nb"),
            r"has a control character, U\+000A, at place 2",
        ),
        (lambda store, run: run_annotations.rename(store, run, "a\u202egpj.exe"), r"U\+202E"),
        (
            lambda store, run: run_annotations.write_notes(store, run, "a\x00"),
            r"U\+0000, at place 2",
        ),
        (
            lambda store, run: run_annotations.write_notes(store, run, "x" * 10_001),
            "at most 10,000",
        ),
        (
            lambda store, run: run_annotations.add_tags(store, [run], ["two words"]),
            "'two words' is no tag",
        ),
        (lambda store, run: run_annotations.add_tags(store, [run], ["<b>"]), "letters, digits"),
        (lambda store, run: run_annotations.add_tags(store, [run], [""]), "'' is no tag"),
        (lambda store, run: run_annotations.add_tags(store, [run], ["x" * 41]), "1 to 40"),
        (lambda store, run: run_annotations.star(store, [run, "nosuchid"]), "No run 'nosuchid'"),
        (
            lambda store, run: run_annotations.archive(
                store, [run, run_actions.submit(store, RunConfig())]
            ),
            "before it has ended",
        ),
        (lambda store, _run: views.save_view(store, "runs", "  ", "q=1"), "The view has no name"),
        (lambda store, _run: views.save_view(store, "runs", "a\tb", "q=1"), r"U\+0009"),
    ],
)
def test_what_cannot_be_is_refused_whole(
    store: Store, run: str, act: Callable[[Store, str], object], message: str
) -> None:
    """A sentence says the rule and the value, and nothing has changed."""
    with pytest.raises(MnistDashError, match=message) as refused:
        act(store, run)
    assert isinstance(refused.value, InvalidInput | UnknownRun | IllegalTransition)
    known = store.run(run)
    born = "512-256 Adam 0.001 #1"
    assert (known.name, known.notes, known.starred, known.archived_at, tags_of(store, run)) == (
        born,
        None,
        False,
        None,
        (),
    )


@pytest.mark.parametrize(
    "act",
    [
        lambda store, run: run_annotations.rename(store, run, "a"),
        lambda store, run: run_annotations.write_notes(store, run, "a"),
        lambda store, run: run_annotations.star(store, [run]),
        lambda store, run: run_annotations.add_tags(store, [run], ["a"]),
        lambda store, run: run_annotations.remove_tags(store, [run], ["a"]),
        lambda store, run: run_annotations.archive(store, [run]),
        lambda store, run: run_annotations.unarchive(store, [run]),
        lambda store, _run: views.save_view(store, "runs", "a", "q=1"),
        lambda store, _run: views.delete_view(store, "runs", "a"),
        lambda store, _run: views.restore_view(store, views.SavedView("runs", "a", "q=1")),
    ],
    ids=[
        "rename",
        "notes",
        "star",
        "tag",
        "untag",
        "archive",
        "unarchive",
        "save",
        "delete",
        "restore",
    ],
)
def test_a_viewer_marks_nothing(
    store: Store, run: str, act: Callable[[Store, str], object]
) -> None:
    """Whoever may only look is refused in the service, and the refusal is kept; an editor is let through."""
    with pytest.raises(NotAllowed):
        act(store.acting_for(Person(Role.VIEWER, "v@example.org")), run)
    with store.reading() as connection:
        refusals = connection.execute(
            sa.select(schema.audit.c.person, schema.audit.c.allowed)
        ).all()
    assert [tuple(row) for row in refusals] == [("v@example.org", False)]
    act(store.acting_for(Person(Role.EDITOR, "e@example.org")), run)


def test_views_are_named_listed_and_brought_back(store: Store) -> None:
    """A name is one view's; a deleted view comes back as it was, unless its name is another's by then."""
    views.save_view(store, "runs", "best CNNs", "q=a&sort=test_accuracy")
    views.save_view(store, "compare", "best CNNs", "runs=a")
    with pytest.raises(InvalidInput, match="'best CNNs' is taken"):
        views.save_view(store, "runs", "best CNNs", "q=b")
    gone = views.delete_view(store, "runs", "best CNNs")
    assert gone is not None
    assert views.saved_views(store, "runs") == ()
    views.restore_view(store, gone)
    assert views.saved_views(store, "runs") == (
        views.SavedView("runs", "best CNNs", "q=a&sort=test_accuracy"),
    )
    with pytest.raises(InvalidInput, match="taken"):
        views.restore_view(store, gone)
    assert views.delete_view(store, "runs", "nothing") is None
