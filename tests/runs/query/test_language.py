"""The query language: what it finds is what it says, and whatever is typed it finds runs or says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

from mnist_dash.errors import InvalidQuery
from mnist_dash.runs.query import catalog, fields
from mnist_dash.runs.query.fields import RUN_FIELDS, Field, FieldKind
from mnist_dash.runs.query.language import (
    Comparison,
    Conjunction,
    Disjunction,
    Membership,
    Negation,
    Node,
    Value,
    bounds,
    chosen_values,
    parse,
    with_values,
    write_value,
)
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from tests.databases import settings_with_database
from tests.new_store import new_store
from tests.runs.many import fill

_COLUMNS = {
    "run": "id",
    "created": "created_at",
    "started": "started_at",
    "ended": "ended_at",
    "parent": "parent_id",
}
Row = dict[str, Any]


@dataclass(frozen=True)
class Filled:
    """A store with runs, and what is in its rows."""

    store: Store
    rows: list[Row] = dataclass_field(repr=False)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A store of 150 runs."""
    store = new_store(
        settings_with_database({"MNIST_DASH_HOME": str(tmp_path_factory.mktemp("runs"))})
    )
    fill(store, 150, n_epochs=1)
    with store.reading() as connection:
        rows = [dict(row) for row in connection.execute(sa.select(schema.runs)).mappings()]
        tags = connection.execute(sa.select(schema.run_tags)).all()
        links = set(connection.execute(sa.select(schema.trial_runs.c.run_id)).scalars())
    for row in rows:
        row["tag"] = [tag for run_id, tag in tags if run_id == row["id"]]
        row["study"] = ["width by depth", "aaaa0000"] if row["id"] in links else []
        row["tree"] = json.loads(row["config"])
    yield Filled(store, rows)
    store.close()


def found(store: Store, text: str) -> set[str]:
    """Name the runs that a query finds."""
    scope = catalog.Scope(
        parse(f"({text}) and (archived or not archived)") if text.strip() else None
    )
    return {each.run.id for each in catalog.page(store, scope, limit=1000)}


def value_of(row: Row, field: Field) -> Any:  # noqa: ANN401 - of the field's kind
    """Look a field up in a row, without SQL."""
    if field.is_setting:
        node: Any = row["tree"]
        for part in field.path:
            node = (
                node[int(part)]
                if isinstance(node, list) and int(part) < len(node)
                else node.get(part)
                if isinstance(node, dict)
                else None
            )
        return node
    match field.name:
        case "leak":
            return row["tree"]["split"]["kind"] == "test_as_validation"
        case "archived":
            return row["archived_at"] is not None
        case "starred":
            return bool(row["starred"])
        case "n_layers":
            return len(row["tree"]["layers"])
        case "seconds":
            return row["seconds_training"] + row["seconds_evaluation"]
    return row[_COLUMNS.get(field.name, field.name)]


def holds(node: Node, row: Row) -> bool:
    """Say whether a run meets a query, by the language's definition."""
    match node:
        case Conjunction(parts):
            return all(holds(part, row) for part in parts)
        case Disjunction(parts):
            return any(holds(part, row) for part in parts)
        case Negation(part):
            return not holds(part, row)
        case Membership(field, values):
            return any(holds(Comparison(field, "==", value), row) for value in values)
        case Comparison(field, operator, value):
            known = value_of(row, field)
            if field.kind is FieldKind.NAMES:
                return (
                    not known
                    if value is None
                    else any(_compare(each, operator, value) for each in known)
                )
            return (
                known is None
                if value is None
                else known is not None and _compare(known, operator, value)
            )


def _compare(known: Any, operator: str, value: Value) -> bool:  # noqa: ANN401 - of the field's kind
    if operator == "contains":
        return _lower(str(value)) in _lower(known)
    if isinstance(value, str | bool) or value is None:
        return bool(known == value)
    low, high = bounds(value)
    answers: dict[str, bool] = {
        "==": low <= known <= high,
        "<": known < low,
        "<=": known <= high,
        ">": known > high,
        ">=": known >= low,
    }
    return answers[operator]


def _lower(text: str) -> str:
    return "".join(character.lower() if character.isascii() else character for character in text)


_NAMES = [
    *RUN_FIELDS,
    *fields.settings(),
    *fields.short_names(),
    "layers.1.units",
    "layers.2.rate",
    "layers.1.kernel_init.kind",
    "config.device",
]
_TEXTS = [
    "",
    "adam",
    "demo",
    "Für",
    "für",
    "100 %",
    "a'b",
    'a"b',
    "a\\b",
    "_",
    "%",
    "00000001",
    "width by depth",
    "mlp_512_256",
    "é",
    "日本",
]
_NUMBERS = (
    st.sampled_from([0, 1, 5, 20, 32, 64, 0.001, 0.01, 0.2, 0.97, 1e-9, -1, 1e300, 1 / 6])
    | st.floats(-1, 1)
    | st.integers(0, 2**40)
)


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    """Write one comparison of any field that is allowed."""
    name = draw(st.sampled_from(_NAMES))
    field = fields.find(name)
    assert field is not None, name
    texts = (
        st.sampled_from(field.options)
        if field.options
        else st.sampled_from(_TEXTS)
        | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]))
    )
    values: dict[FieldKind, st.SearchStrategy[Value]] = {
        FieldKind.NUMBER: _NUMBERS,
        FieldKind.TRUTH: st.booleans(),
        FieldKind.TEXT: texts,
        FieldKind.NAMES: texts,
        FieldKind.MOMENT: st.sampled_from(
            ["2023-11-14T22:20:00+00:00", "2023-11-15", "1 week ago"]
        ),
        FieldKind.PART: st.none(),
    }
    value = values[field.kind] | st.none()
    if field.kind is FieldKind.TRUTH and draw(st.booleans()):
        return name
    if field.kind in (FieldKind.TEXT, FieldKind.NAMES) and draw(st.booleans()):
        operator = draw(st.sampled_from(["contains", "not contains", "~", "CONTAINS"]))
        return f"{name} {operator} {write_value(draw(st.sampled_from(_TEXTS)))}"
    if field.kind not in (FieldKind.MOMENT, FieldKind.PART) and draw(st.booleans()):
        several = ",".join(
            write_value(each) for each in draw(st.lists(value, min_size=1, max_size=3))
        )
        return f"{name} {draw(st.sampled_from(['in', 'not in', 'NOT IN']))} ({several})"
    if field.kind in (FieldKind.NUMBER, FieldKind.MOMENT) and draw(st.booleans()):
        return f"{name}{draw(st.sampled_from(['<', '<=', '>', '>=']))}{write_value(draw(values[field.kind]))}"
    equal = st.none() if field.kind is FieldKind.MOMENT else value
    return f"{name} {draw(st.sampled_from(['==', '!=']))} {write_value(draw(equal))}"


_QUERIES = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.builds("not {}".format, inner.map("({})".format)),
        st.builds("{} and {}".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("{} or {}".format, inner, inner),
    ),
    max_leaves=6,
).filter(lambda text: len(text) < 1900)


@given(text=_QUERIES)
@example(
    text="optimizer == 'adam' and best_val_accuracy > 97% and not (tag == 'demo' or batch_size in (32, 64))"
)
@example(text="learning_rate == 0.01 or split.fraction == 0.1666666666666667")
def test_sql_finds_what_the_query_says(filled: Filled, text: str) -> None:
    """The database's answer is the one that the rows give by the definition of the language, and `not` gives the others."""
    store, rows = filled.store, filled.rows
    root = parse(text).root
    assert root is not None
    expected = {row["id"] for row in rows if holds(root, row)}
    assert found(store, text) == expected
    assert found(store, f"not ({text})") == {row["id"] for row in rows} - expected


_STRANGE = """
and or not in contains ( ) , == != <= ~ "adam" ' " 98% 1e999 none true = && 🙂 layers.1.units layers.999.units 3 ;-- 1e99999999 % \\"""
_PIECES = st.sampled_from([*_NAMES[:12], "optimizer", *_STRANGE.split(), "\x00", "\ud800", "\n"])


@given(
    text=st.text()
    | st.lists(_PIECES, max_size=12).map(" ".join)
    | st.lists(_PIECES, max_size=12).map("".join)
)
@example(text="(" * 1999)
@example(text="not " * 400)
@example(text="starred or " * 180 + "starred")
@example(text="x" * 5000)
@example(text='created > "0001-01-01T00:00:00+14:00"')
@example(text='created > "999999 weeks ago"')
@example(text="epoch == " + "9" * 400)
def test_no_text_is_too_strange(filled: Filled, text: str) -> None:
    """Any text finds runs or is refused with a place in it; nothing else happens."""
    refused: InvalidQuery | None = None
    try:
        catalog.count(filled.store, catalog.Scope(parse(text)))
    except InvalidQuery as error:
        refused = error
    if refused is not None:
        assert 0 <= refused.start <= refused.end <= max(len(text), 1)
        assert "\n" not in refused.sentence
        assert refused.caret.split("\n")[1].strip("^ ") == ""


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [
        (
            'optimzer == "adam"',
            "^^^^^^^^",
            "'optimzer' at place 1: runs have no such field. Did you mean optimizer?",
        ),
        (
            "epoch > 2 and lerning_rate < 1",
            "              ^^^^^^^^^^^^",
            "Did you mean learning_rate?",
        ),
        (
            "val_accuracy > 0.9",
            "^^^^^^^^^^^^",
            "Did you mean best_val_accuracy or last_val_accuracy?",
        ),
        ("optimizer == adam", "             ^^^^", 'Put quotes around it: "adam".'),
        ('optimizer == "adm"', "             ^^^^^", 'Did you mean "adam"?'),
        (
            "test_accuracy > ",
            "                ^",
            "The query ends, but test_accuracy is compared with a number.",
        ),
        ("(epoch > 2", "          ^", 'Expected ")", "and" or "or" here.'),
        ("epoch > 2)", "         ^", "no parenthesis is open here"),
        ('name = "a"', "     ^", "Write ==."),
        ('state < "a"', "      ^", "Use ==, !=, in or contains."),
        ("epoch > 1 seed == 3", "          ^^^^", 'Put "and" or "or" between them.'),
        ("0.98 < test_accuracy", "^^^^", "Write the field first"),
        ('tag == "demo', "       ^^^^^", "Close it."),
        ("batch_size in 32", "              ^^", "as in batch_size in (32, 64)"),
        ('created > "soon"', "          ^^^^^^", "7 days ago"),
        ("epoch >= none", "         ^^^^", "it is neither larger nor smaller"),
        ("epoch 3", "      ^", "Expected ==, !=, <, <=, >, >= or in here."),
    ],
)
def test_a_typo_is_shown_where_it_is(text: str, place: str, sentence: str) -> None:
    """The mark stands under what is wrong, and the sentence says what was expected."""
    with pytest.raises(InvalidQuery) as refused:
        parse(text)
    assert refused.value.caret.split("\n") == [text, place]
    assert sentence in refused.value.sentence


def test_percent_is_exact() -> None:
    """97.85% is the number 0.9785 and not its neighbour."""
    root = parse("test_accuracy > 97.85 %").root
    assert isinstance(root, Comparison)
    assert root.value == 0.9785


def test_choices_are_read_from_a_query_and_written_into_it() -> None:
    """Chips narrow a field without touching what a person has typed."""
    state = RUN_FIELDS["state"]
    text = 'test_accuracy > 0.9 and state in ("queued", "running")'
    assert chosen_values(parse(text), state) == ("queued", "running")
    assert with_values(text, state, ["failed"]) == 'test_accuracy > 0.9 and state == "failed"'
    assert with_values(text, state, []) == "test_accuracy > 0.9"
    assert (
        with_values("epoch > 2 or starred", state, ["failed"])
        == '(epoch > 2 or starred) and state == "failed"'
    )
    assert (
        with_values("(epoch > 2 or starred)", state, ["failed"])
        == '(epoch > 2 or starred) and state == "failed"'
    )
    assert (
        with_values("(epoch > 2) or (starred)", state, ["failed"])
        == '((epoch > 2) or (starred)) and state == "failed"'
    )
    assert with_values("", RUN_FIELDS["preset"], [None, "mlp_784"]) == 'preset in (none, "mlp_784")'
    rate = fields.find("learning_rate")
    assert rate is not None
    assert with_values("", rate, [0.1 + 0.2]) == "learning_rate == 0.30000000000000004"
