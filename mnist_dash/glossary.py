"""What the words on pages mean: the sentences of ``glossary.md``, from which help texts are taken. Imports nothing of the package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("glossary.md")
_ENTRY = re.compile(
    r"^\*\*(?P<term>[^*]+)\*\*(?: \(also (?P<others>[^)]+)\))?: (?P<sentence>.+)$", re.MULTILINE
)


@cache
def terms() -> Mapping[str, str]:
    """Give the sentence of each term, by the term in lower case; a term's other names have the same sentence.

    Raises:
        ValueError: a term stands there twice.
    """
    found: dict[str, str] = {}
    for entry in _ENTRY.finditer(SOURCE.read_text(encoding="utf-8")):
        for name in (entry["term"], *(entry["others"] or "").split(", ")):
            if name and name.lower() in found:
                raise ValueError(f"{name!r} stands in the glossary twice. Keep one of them.")
            if name:
                found[name.lower()] = entry["sentence"]
    return found


def help_for(term: str, more: str = "") -> str:
    """Give the help text of a term.

    Args:
        term: as the glossary has it, in any case.
        more: a sentence that only this place needs.

    Raises:
        KeyError: the glossary does not have the term.
    """
    sentence = terms()[term.lower()]
    return f"{sentence} {more}" if more else sentence
