"""Sentences and what people type: plurals, the nearest known name for a mistyped one, numbers. Imports nothing of the package."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_DURATION = re.compile(
    r"(?:([0-9]+(?:\.[0-9]+)?)d)?(?:([0-9]+(?:\.[0-9]+)?)h)?(?:([0-9]+(?:\.[0-9]+)?)m)?(?:([0-9]+(?:\.[0-9]+)?)s?)?"
)
"""Days, hours, minutes and seconds; a number alone is seconds."""
_NUMBER = re.compile(
    r"[+-]?(\d+(_\d+)*|\d{1,3}(,\d{3})+)?(\.\d*)?(e[+-]?\d+)?", re.IGNORECASE | re.ASCII
)
_MOST_DIGITS = 400
_NO_NUMBER = ("inf", "infinity", "nan")
_SINGULARS = {"are": "is", "have": "has", "were": "was", "do": "does"}


def plural(n: float, noun: str) -> str:
    """Write a number of things: ``1 run``, ``2 runs``, ``1,000 entries``.

    Args:
        n: how many.
        noun: in the singular; of several words, such as ``training image``, the last one changes.
    """
    return f"{n:,} {noun if n == 1 else plural_of(noun)}"


def plural_of(noun: str) -> str:
    """Give the plural of a noun: ``run`` -> ``runs``, ``batch`` -> ``batches``, ``epoch`` -> ``epochs``, ``study`` -> ``studies``."""
    if noun.endswith("sis"):
        return noun[:-2] + "es"
    if re.search(r"(s|x|ch|sh)$", noun) and not noun.endswith("epoch"):  # its ch is a k
        return noun + "es"
    return noun[:-1] + "ies" if re.search(r"[^aeiou]y$", noun) else noun + "s"


def verb(n: float, plural_form: str) -> str:
    """Give the form of a verb that agrees with a number: ``verb(1, "wait")`` is ``waits``, ``verb(2, "are")`` is ``are``."""
    if n != 1:
        return plural_form
    return _SINGULARS.get(plural_form) or plural_of(plural_form)


def listed(words: Iterable[str], *, last: str = "or") -> str:
    """Write a list as a sentence has it: ``relu, elu or gelu``."""
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end


def nearest(name: str, known: Iterable[str], *, n: int = 3) -> list[str]:
    """Find the known names that a mistyped one may stand for, the nearest first.

    Case, spaces and hyphens count for nothing, and the last part of a dotted name may stand for all of it:
    ``ReLU`` finds ``relu``, ``learning_rate`` finds ``optimizer.learning_rate``.
    """
    folded = {each: _folded(each) for each in known}
    names: dict[str, list[str]] = {}
    for each, alias in (
        *folded.items(),
        *((each, whole.rpartition(".")[2]) for each, whole in folded.items() if "." in whole),
    ):
        # Whole names first: ``sed`` is nearer to ``seed`` than to ``split.seed``.
        names.setdefault(alias, []).append(each)
    wanted = _folded(name)
    if wanted in names:
        return names[wanted][:n]
    close = difflib.get_close_matches(wanted, names, n=n, cutoff=0.6)
    return list(dict.fromkeys(each for alias in close for each in names[alias]))[:n]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Ask for the nearest known names, ``Did you mean relu?``; empty where none is near."""
    near = nearest(name, known)
    return f"Did you mean {listed(near)}?" if near else ""


def parse_number(text: str) -> int | float | None:
    """Read a number as people write it: ``50,000``, ``10_000``, ``1e-4``, ``.5``; None where it is none.

    A comma is between thousands and nowhere else. Infinity and ``nan`` are read, and left to the bounds of the field.
    """
    cleaned = text.strip()
    if cleaned.lower().lstrip("+-") in _NO_NUMBER:
        return float(cleaned)
    if not re.search("[0-9]", cleaned) or not _NUMBER.fullmatch(cleaned):
        return None
    plain = cleaned.replace(",", "").replace("_", "")
    if len(plain) > _MOST_DIGITS:
        return None
    return int(plain) if re.fullmatch("[+-]?[0-9]+", plain) else float(plain)


def parse_duration(text: str) -> float | None:
    """Read a time as people write it, in seconds: ``90``, ``90s``, ``55m``, ``1h30m``, ``2d``; None where it is none."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None or not text.strip():
        return None
    amounts = (float(amount or 0) for amount in found.groups())
    return sum(
        amount * seconds for amount, seconds in zip(amounts, (86_400, 3600, 60, 1), strict=True)
    )


def _folded(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", name.strip().lower())
