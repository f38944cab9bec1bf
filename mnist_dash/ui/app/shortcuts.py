"""Every keyboard shortcut, once: the bindings and the sheet that lists them are both made from this table."""

from __future__ import annotations

from dataclasses import dataclass

SUBMIT = "Ctrl+Enter"
"""Of the one button that a page is about: Train, Launch study."""


@dataclass(frozen=True)
class Shortcut:
    """A key, or one of several, and what it does.

    Attributes:
        keys: alternatives; ``Ctrl+K`` is held together, ``g r`` is pressed one after the other.
        does: what happens, as the sheet says it.
        action: what the browser is to do: ``palette``, ``sheet`` or ``page``; empty where something else listens:
            a button, a list, Streamlit.
        page: title of the page that is opened.
    """

    keys: tuple[str, ...]
    does: str
    action: str = ""
    page: str = ""

    @property
    def works_while_typing(self) -> bool:
        """Whether it works in a text field too: only with a key that is held, which types nothing."""
        return all(key.startswith("Ctrl+") for key in self.keys)


PAGE_KEYS = {
    "Train": "t",
    "Runs": "r",
    "Compare": "c",
    "Studies": "s",
    "Published results": "p",
    "Data": "d",
    "Draw": "w",
    "System": "y",
}
"""The letter that opens a page after ``g``, by the page's title."""

ANYWHERE = (
    Shortcut(("Ctrl+K",), "Search pages, runs, studies and networks", action="palette"),
    Shortcut(("/",), "Search, while no text field has the focus", action="palette"),
    Shortcut(("?",), "Show this list", action="sheet"),
    Shortcut((SUBMIT,), "Train the network, or launch the study, as it is set"),
    Shortcut(("r",), "Reload the page"),
)
IN_THE_PALETTE = (
    Shortcut(("↑", "↓"), "Move the selection"),
    Shortcut(("Enter",), "Open the selected entry"),
    Shortcut(("Esc",), "Close"),
)


def to_pages(titles: list[str]) -> tuple[Shortcut, ...]:
    """Give the shortcuts that open these pages; a page without a letter has none."""
    return tuple(
        Shortcut((f"g {PAGE_KEYS[title]}",), f"Go to {title}", action="page", page=title)
        for title in titles
        if title in PAGE_KEYS
    )


def sheet(titles: list[str]) -> tuple[tuple[str, tuple[Shortcut, ...]], ...]:
    """List all shortcuts by where they work, given the titles of the pages."""
    return (
        ("Anywhere", ANYWHERE),
        ("Pages, one key after the other", to_pages(titles)),
        ("In the search", IN_THE_PALETTE),
    )
