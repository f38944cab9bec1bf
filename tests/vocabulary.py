"""Words that the field does not use, each as an expression that finds it; and the texts of a page that a person may read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from streamlit.testing.v1 import AppTest

OUTDATED = {
    "Validation split, validation fraction": r"[Ss]hares? held back|\bValidate on\b",
    "X axis, log x, log y": r"[Aa]long the bottom|Logarithmic (bottom|height)",
    "metric": r"\b[Ff]igures?\b",
    "hyperparameter importance": r"[Ww]hich settings matter|how much (a|each) setting",
    "export": r"[Tt]ak(e|ing|en) (it |runs )?along",
    "confidence and calibration": r"[Hh]ow sure it is|(as sure as|surer than) right|righter than sure|% sure\b",
    "predicted as, misclassified": r"\btaken for\b|\b(rightly|wrongly) called\b|\bcalled (\d\b|wrongly|rightly|otherwise|so\b)",
    "decision threshold": r"from this probability on",
    "errors": r"^Wrong$",
    "best value": r"\bthe best so far\b",
    "running, enqueued": r"\b[Ii]n flight\b|[Aa]sked for by hand",
    "per": r"\b([Tt]rials?|[Rr]uns?|[Ee]pochs?|[Ss]econds?|[Ii]mages?|[Oo]perations|[Ss]eeds?|[Ss]teps?) an? "
    r"(hour|epoch|run|trial|image|second|page)\b",
    "trials without improvement": r"[Uu]ntil none is better|bring nothing better",
    "enqueue, narrow, exclude": r"[Tt]ry it next|[Ss]earch(ed)? (only here|alone)|\b[Bb]an(ned|s)?\b",
    "load, save with label": r"[Pp]ut it on the canvas|[Kk]eep it as",
    "model": r"[Rr]ecognised by",
    "position in the embedding, nearest training images": r"\b[Ii]ts place in\b|[Mm]ost like it",
    "over training, activations": r"[Ff]rom epoch to epoch|on its way through",
    "first-layer filters": r"layer looks for|it looks for",
    "weight matrices": r"[Ww]eights between the layers",
    "plain descriptions": r"[Tt]he first look|[Tt]he one to press",
    "changed predictions, significance": r"[Ww]ho fixed (my|which) digit|[Ii]s it real\b",
    "history, events": r"\bWhat was done\b|\bWhat goes\b",
    "rerun, clone and edit, tune from here": r"\b[Tt]rain (it )?again\b|[Cc]hange and train|[Ss]earch around it",
    "search": r"\bJump\b|\bjumping\b",
    "published results": r"^Published$",
    "97.78 %": r"(?<!> )(?<![\d.])\d[\d.]*%(?!\w)",
    "the run's name": r"\b[Rr]un [0-9a-f]{8}\b",
    "what is wrong with the value": r"\S; got\b",
    "one plural": r"\b1 (runs|epochs|trials|studies|images|errors|workers|seeds|settings|layers|threads|groups|days|files)\b",
}
"""What is right -> an expression that finds what is not, in a text that people read."""
FORMER = {"is it real?"}
"""What addresses of older versions say, which is still understood."""
_IN_STUDIES = {"hyperparameters": r"\b[Ss]ettings?\b"}
"""The same for texts about a study's space."""
_CODE = re.compile(r"`[^`]*`|</?\w[^>]*>")
"""Code in quotes, and tags of HTML."""
_SPOKEN = {
    *(
        "label",
        "body",
        "help",
        "value",
        "placeholder",
        "text",
        "alt",
        "title",
        "caption",
        "content",
        "options",
        "page_title",
        "tooltip",
    ),
    *(
        "names",
        "hovertext",
        "name",
        "ticktext",
        "summary",
        "note",
        "does",
        "where",
        "sheet",
        "sentence",
        "titles",
        "captions",
        "delta",
    ),
}
"""Fields of what a page sends to the browser that a person reads."""
_HIDDEN = {
    "hovertemplate",
    "uid",
    "meta",
    "uirevision",
    "bdata",
    "legendgroup",
    "image",
    "images",
    "sprite",
    "css",
    "html",
    "js",
    "query_string",
}


def faults(text: str, *, of_study: bool = False) -> list[str]:
    """Name what is wrong with a text; code in quotes, tags and style sheets are not read."""
    if "var(--st-" in text or text in FORMER:
        return []
    said = _CODE.sub("", text)
    patterns = OUTDATED | (_IN_STUDIES if of_study else {})
    return [
        f"{right}: {found[0]!r} in {text[:160]!r}"
        for right, pattern in patterns.items()
        if (found := re.search(pattern, said, re.MULTILINE))
    ]


def spoken(app: AppTest) -> Iterator[str]:
    """Give every text of a rendered page: labels, sentences, help texts, options, tables' headings, charts and their descriptions."""
    for node in app._tree:
        proto = getattr(node, "proto", None)
        if hasattr(proto, "ListFields"):
            yield from _texts(proto)


def _texts(message: Any) -> Iterator[str]:  # noqa: ANN401 - a protobuf message, which has no types
    for field, value in message.ListFields():
        values = (
            list(value.values())
            if hasattr(value, "values")
            else list(value)
            if _is_list(value)
            else [value]
        )
        for each in values:
            if hasattr(each, "ListFields"):
                yield from _texts(each)
            elif isinstance(each, str) and field.name in {"json", "columns", "column_config"}:
                yield from _of_json(each)
            elif isinstance(each, str) and field.name in _SPOKEN:
                yield each


def _is_list(value: object) -> bool:
    return (
        not isinstance(value, str | bytes)
        and not hasattr(value, "ListFields")
        and hasattr(value, "__iter__")
    )


def _of_json(text: str) -> Iterator[str]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return
    yield from _strings("", found)


def _strings(name: str, found: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    if name in _HIDDEN:
        return
    if isinstance(found, dict):
        for key, value in found.items():
            yield from _strings(key, value)
    elif isinstance(found, list):
        for value in found:
            yield from _strings(name, value)
    elif isinstance(found, str) and name == "figure":
        yield from _of_json(found)
    elif isinstance(found, str) and name in _SPOKEN:
        yield found
