"""The query language over runs: `optimizer == "adam" and test_accuracy > 98% and not tag == "demo"`.

A text becomes tokens, tokens become a tree by recursive descent, and `mnist_dash.runs.query.conditions` makes SQL of the tree. What cannot
be read raises `InvalidQuery` with the place and what was expected there; whatever the text, nothing else is raised.

    query       = [ either ]
    either      = both { "or" both }
    both        = negated { "and" negated }
    negated     = "not" negated | "(" either ")" | comparison
    comparison  = FIELD                                             of a field that is true or false
                | FIELD ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) value
                | FIELD [ "not" ] "in" "(" value { "," value } ")"
                | FIELD [ "not" ] ( "contains" | "~" ) STRING
    value       = NUMBER | NUMBER "%" | STRING | "true" | "false" | "none"

Every comparison is either true or false. One with a missing value is false, but for `== none`; `!=`, `not in` and `not contains` are the
opposites of `==`, `in` and `contains`. Numbers are equal where they agree to nine digits, so that 0.1 + 0.2 is 0.3.
"""

from __future__ import annotations

import json
import math
import re
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NoReturn, TypeAlias

from mnist_dash.errors import InvalidQuery
from mnist_dash.runs.query import fields
from mnist_dash.runs.query.fields import Field, FieldKind
from mnist_dash.text import listed, nearest

MAX_LENGTH = 2000
"""Characters of a query."""
MAX_DEPTH = 50
"""Parentheses and `not` within one another."""
TOLERANCE = 1e-9
"""Numbers that differ by this share of the one in the query are equal."""

Value: TypeAlias = float | str | bool | None
Operator: TypeAlias = Literal["==", "<", "<=", ">", ">=", "contains"]


@dataclass(frozen=True)
class Comparison:
    """A field beside a value; `contains` is one of text, in which small and capital letters from A to Z are the same."""

    field: Field
    operator: Operator
    value: Value


@dataclass(frozen=True)
class Membership:
    """A field that equals one of several values."""

    field: Field
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Negation:
    """The opposite."""

    part: Node


@dataclass(frozen=True)
class Conjunction:
    """All of two or more parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Disjunction:
    """At least one of two or more parts."""

    parts: tuple[Node, ...]


Node: TypeAlias = Comparison | Membership | Negation | Conjunction | Disjunction


@dataclass(frozen=True)
class Query:
    """A query that was read."""

    text: str
    root: Node | None
    """None lets every run through."""
    conjuncts: tuple[tuple[Node, str], ...]
    """The parts that all must hold, each with its text as typed."""


def parse(text: str) -> Query:
    """Read a query; an empty one lets every run through.

    Raises:
        InvalidQuery: it cannot be read, or a field cannot be compared so.
    """
    if len(text) > MAX_LENGTH:
        sentence = f"{len(text):,} characters are too many for a query (at most {MAX_LENGTH:,}). Shorten it."
        raise InvalidQuery(sentence, text=text[:80], start=0, end=80)
    return _Parser(text).query()


def bounds(value: float) -> tuple[float, float]:
    """Give the least and the largest number that equal one in a query."""
    slack = abs(value) * TOLERANCE
    return value - slack, value + slack


def write_value(value: Value) -> str:
    """Write a value as a query does."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return json.dumps(int(value) if float(value).is_integer() and abs(value) < 1e15 else value)


def chosen_values(query: Query, field: Field) -> tuple[Value, ...]:
    """Name the values to which a query narrows a field by a part of its own, such as `state in ("queued", "running")`."""
    for part, _ in query.conjuncts:
        values = _values_of(part, field)
        if values is not None:
            return values
    return ()


def with_values(text: str, field: Field, values: Sequence[Value]) -> str:
    """Write a query that narrows a field to some values and says otherwise what it said before.

    Args:
        text: the query so far.
        field: what to narrow.
        values: to what; none of them lifts the narrowing.

    Raises:
        InvalidQuery: the query so far cannot be read.
    """
    query = parse(text)
    kept = [
        f"({words})" if isinstance(part, Disjunction) and not _is_wrapped(words) else words
        for part, words in query.conjuncts
        if _values_of(part, field) is None
    ]
    if len(values) == 1:
        kept.append(f"{fields.written(field)} == {write_value(values[0])}")
    elif values:
        kept.append(f"{fields.written(field)} in ({', '.join(map(write_value, values))})")
    if len(kept) == 1 and not values and len(query.conjuncts) == 1:
        return text
    return " and ".join(kept)


def _is_wrapped(words: str) -> bool:
    """Whether a text's first parenthesis closes with its last character; it is known to be a whole part of a query."""
    tokens = _tokens(words)
    depth = 0
    for index, token in enumerate(tokens[:-1]):
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "operator" else 0
        if depth == 0:
            return index == len(tokens) - 2
    return False


def _values_of(part: Node, field: Field) -> tuple[Value, ...] | None:
    match part:
        case Comparison(known, "==", value) if known.name == field.name:
            return (value,)
        case Membership(known, values) if known.name == field.name:
            return values
    return None


@dataclass(frozen=True)
class _Token:
    kind: str
    """number, name, string, operator or end."""
    text: str
    start: int
    end: int


_TOKEN = re.compile(
    r"""(?P<number>[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?:[ ]?%)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<operator>==|!=|<=|>=|<|>|~|\(|\)|,)""",
    re.VERBOSE | re.DOTALL,
)
_MEANT = {"=": "==", "&": "and", "|": "or", "!": "not", "≠": "!=", "≤": "<=", "≥": ">="}
_COMPARED = {
    FieldKind.NUMBER: ("==", "!=", "<", "<=", ">", ">=", "in"),
    FieldKind.TEXT: ("==", "!=", "in", "contains"),
    FieldKind.NAMES: ("==", "!=", "in", "contains"),
    FieldKind.TRUTH: ("==", "!=", "in"),
    FieldKind.MOMENT: ("<", "<=", ">", ">=", "==", "!="),
    FieldKind.PART: ("==", "!="),
}
_ORDERED: dict[str, Operator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
_OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "~", "in", "contains", "not")
_RESERVED = {"and", "or", "not", "in", "contains", "true", "false", "none"}
_AGO = re.compile(
    r"\s*([0-9]{1,6}(?:\.[0-9]{1,3})?)\s*(minute|hour|day|week)s?\s+ago\s*",
    re.IGNORECASE | re.ASCII,
)
_UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800}


def _tokens(text: str) -> list[_Token]:
    found = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        match = _TOKEN.match(text, place)
        if match is None:
            _refuse_character(text, place)
        found.append(_Token(str(match.lastgroup), match.group(), place, match.end()))
        place = match.end()
    return [*found, _Token("end", "", len(text), len(text))]


def _refuse_character(text: str, place: int) -> NoReturn:
    character = text[place]
    if character in "\"'":
        sentence = f"The quote at place {place + 1} is never closed. Close it."
        raise InvalidQuery(sentence, text=text, start=place, end=len(text))
    meant = _MEANT.get(character)
    remedy = f"Write {meant}." if meant else "Take it out, or put the text it belongs to in quotes."
    sentence = f"{character!r} at place {place + 1} has no meaning in a query. {remedy}"
    raise InvalidQuery(sentence, text=text, start=place, end=place + 1)


class _Parser:
    """Reads one query; every method takes the tokens that it understands and leaves the rest."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.place = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.place]

    def word(self) -> str:
        """Give the token as a keyword or an operator; nothing where it is a value."""
        return self.token.text.lower() if self.token.kind in ("name", "operator") else ""

    def take(self) -> _Token:
        token = self.token
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def takes(self, word: str) -> bool:
        if self.word() != word:
            return False
        self.take()
        return True

    def refuse(self, fault: str, remedy: str, token: _Token | None = None) -> NoReturn:
        """Refuse a token: the message begins with it and says what is wrong with it."""
        token = token or self.token
        what = (
            "The query ends, but"
            if token.kind == "end"
            else f"{_shown(token.text)} at place {token.start + 1}:"
        )
        raise InvalidQuery(
            f"{what} {fault}. {remedy}", text=self.text, start=token.start, end=token.end
        )

    def query(self) -> Query:
        if self.token.kind == "end":
            return Query(self.text, None, ())
        root, conjuncts = self.top()
        if self.token.kind != "end":
            if self.word() == ")":
                self.refuse("no parenthesis is open here", "Take it out, or open it before.")
            self.refuse("two comparisons stand side by side", 'Put "and" or "or" between them.')
        return Query(self.text, root, conjuncts)

    def top(self) -> tuple[Node, tuple[tuple[Node, str], ...]]:
        """Read the whole and remember the text of each part that must hold."""
        begin = self.token.start
        alternatives: list[Node] = []
        conjuncts: list[tuple[Node, str]] = []
        while True:
            parts: list[tuple[Node, str]] = []
            while True:
                start = self.token.start
                part = self.negated()
                parts.append((part, self.text[start : self.tokens[self.place - 1].end]))
                if not self.takes("and"):
                    break
            alternatives.append(_joined(Conjunction, [part for part, _ in parts]))
            conjuncts = parts
            if not self.takes("or"):
                break
        root = _joined(Disjunction, alternatives)
        if len(alternatives) > 1:
            conjuncts = [(root, self.text[begin : self.tokens[self.place - 1].end])]
        return root, tuple(conjuncts)

    def either(self) -> Node:
        parts = [self.both()]
        while self.takes("or"):
            parts.append(self.both())
        return _joined(Disjunction, parts)

    def both(self) -> Node:
        parts = [self.negated()]
        while self.takes("and"):
            parts.append(self.negated())
        return _joined(Conjunction, parts)

    def negated(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.refuse(
                f'parentheses and "not" are nested too deep (at most {MAX_DEPTH})',
                "Simplify the query.",
            )
        found = self.inner()
        self.depth -= 1
        return found

    def inner(self) -> Node:
        if self.takes("not"):
            return Negation(self.negated())
        if self.takes("("):
            found = self.either()
            if not self.takes(")"):
                self.refuse("a parenthesis is still open", 'Expected ")", "and" or "or" here.')
            return found
        return self.comparison()

    def comparison(self) -> Node:
        token = self.token
        if token.kind != "name" or token.text.lower() in _RESERVED:
            remedy = 'Expected a field here, such as test_accuracy, "not", or "(".'
            if token.kind in ("number", "string"):
                remedy = "Write the field first: test_accuracy > 0.98."
            self.refuse("a field is wanted here", remedy)
        self.take()
        field = self.field(token)
        operator = self.token
        word = self.word()
        if field.kind is FieldKind.TRUTH and word not in _OPERATORS:
            return Comparison(field, "==", True)
        if word == "not" and self.tokens[self.place + 1].text.lower() in ("in", "contains", "~"):
            self.take()
            return Negation(self.compared(field))
        if word not in _OPERATORS or word == "not":
            self.refuse(
                f"a comparison is wanted after {field.name}",
                f"Expected {_allowed(field)} here.",
                operator,
            )
        return self.compared(field)

    def compared(self, field: Field) -> Node:
        operator = self.take()
        word = "contains" if operator.text == "~" else operator.text.lower()
        if word not in _COMPARED[field.kind]:
            self.refuse(
                f"{field.name} is {field.kind.value} and cannot be compared so",
                f"Use {_allowed(field)}.",
                operator,
            )
        if word == "in":
            return Membership(field, self.values(field))
        if word == "contains":
            if self.token.kind != "string":
                self.refuse("a text in quotes is wanted here", 'Write "adam", say.')
            return Comparison(field, "contains", self.string(self.take()))
        if word in ("==", "!="):
            equal = Comparison(field, "==", self.value(field))
            return equal if word == "==" else Negation(equal)
        if self.word() == "none":
            self.refuse(
                "it is neither larger nor smaller than anything",
                f"Write {field.name} == none, or another value.",
            )
        return Comparison(field, _ORDERED[word], self.value(field))

    def values(self, field: Field) -> tuple[Value, ...]:
        if not self.takes("("):
            self.refuse(
                'values in parentheses are wanted after "in"',
                'Expected "(" here, as in batch_size in (32, 64).',
            )
        found = [self.value(field)]
        while self.takes(","):
            found.append(self.value(field))
        if not self.takes(")"):
            self.refuse("the list of values does not go on so", 'Expected "," or ")" here.')
        return tuple(found)

    def field(self, token: _Token) -> Field:
        found = fields.find(token.text)
        if found is None:
            near = fields.similar(token.text)
            remedy = (
                f"Did you mean {' or '.join(near)}?"
                if near
                else "All fields stand in docs/runs.md."
            )
            self.refuse("runs have no such field", remedy, token)
        return found

    def value(self, field: Field) -> Value:
        token = self.token
        if self.takes("none"):
            return None
        match field.kind:
            case FieldKind.NUMBER:
                if token.kind != "number":
                    self.refuse(
                        f"{field.name} is compared with a number",
                        f"Write a number such as {'98%' if field.is_share else '32'}, or none.",
                    )
                return self.number(self.take())
            case FieldKind.TRUTH:
                if self.word() not in ("true", "false"):
                    self.refuse(
                        f"{field.name} is compared with true or false",
                        f"Write true or false, or {field.name} alone.",
                    )
                return self.take().text.lower() == "true"
            case FieldKind.PART:
                self.refuse(
                    f"{field.name} has no single value",
                    f"Write none, or compare a field of it: {field.name}.",
                )
        if token.kind != "string":
            quoted = (
                ""
                if token.kind in ("end", "operator")
                else f" around it: {write_value(token.text)}"
            )
            example = f'"{field.options[0] if field.options else "2026-01-31" if field.kind is FieldKind.MOMENT else "text"}"'
            remedy = f"Put quotes{quoted}." if quoted else f"Write {example}, say, or none."
            self.refuse(f"{field.name} is compared with {field.kind.value} in quotes", remedy)
        self.take()
        if field.kind is FieldKind.MOMENT:
            return self.moment(token)
        text = self.string(token)
        if field.options and text not in field.options:
            near = nearest(text, field.options, n=1)
            remedy = f"Did you mean {write_value(near[0])}?" if near else "Choose one of them."
            self.refuse(f"{field.name} has no such value ({listed(field.options)})", remedy, token)
        return text

    def number(self, token: _Token) -> float:
        digits = token.text.rstrip("% ")
        if token.text.endswith("%"):
            mantissa, _, exponent = digits.lower().partition("e")
            digits = f"{mantissa}e{int(exponent[:6] or 0) - 2}"  # 97.85% is the double nearest to 0.9785, which a division would miss
        found = float(digits)
        if not math.isfinite(found):
            self.refuse("it is too large (at most 1.8e308)", "Write a smaller one.", token)
        return found

    def string(self, token: _Token) -> str:
        found = re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in found):
            self.refuse("it has a line break or a control character", "Take it out.", token)
        return found

    def moment(self, token: _Token) -> float:
        text = self.string(token)
        ago = _AGO.fullmatch(text)
        if ago is not None:
            return time.time() - float(ago[1]) * _UNIT_SECONDS[ago[2].lower()]
        try:
            moment = datetime.fromisoformat(text.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            remedy = 'Write "2026-01-31", "2026-01-31 18:00" (UTC) or "7 days ago".'
            self.refuse("it is no date, no date with a time and no time ago", remedy, token)


def _joined(kind: type[Conjunction | Disjunction], parts: Sequence[Node]) -> Node:
    return parts[0] if len(parts) == 1 else kind(tuple(parts))


def _allowed(field: Field) -> str:
    return listed(_COMPARED[field.kind])


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
