"""Study files: a definition as YAML that a person writes, and back. What is wrong is said with its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from mnist_dash.core.config.presets import PRESETS, preset
from mnist_dash.core.config.run_config import RunConfig, with_overrides
from mnist_dash.core.kinds.problems import shown
from mnist_dash.errors import InvalidConfig, InvalidInput, InvalidStudy, Problem, UnknownPreset
from mnist_dash.search.definition.space import is_number, is_whole
from mnist_dash.search.definition.study_definition import StudyDefinition, parse_definition
from mnist_dash.search.definition.study_yaml import StudyLoader
from mnist_dash.text import did_you_mean, listed, parse_number

MAX_FILE_BYTES = 100_000
READY_FOLDER = Path(__file__).parents[2] / "studies"
"""The study files that come with the package."""
_FIELDS = (
    "name",
    "question",
    "base",
    "set",
    "space",
    "objective",
    "objectives",
    "sampler",
    "pruner",
    "budget",
    "parallelism",
    "seeds",
)
FIELDS = (*_FIELDS, "race", "seed", "keep")
"""The words at the top level of a study file; docs/studies.md explains them."""
_RANGE_FIELDS = ("low", "high", "log", "step", "when", "values")


def read_study(path: Path) -> StudyDefinition:
    """Read a study file.

    Raises:
        InvalidInput: it cannot be read.
        InvalidStudy: it is no YAML, or rules are broken; each problem names its line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        text = content.decode()
    except OSError as error:
        raise InvalidInput(
            f"The study file {str(path)!r} cannot be read: {error.strerror}. Correct the path."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"The study file {str(path)!r} is no text in UTF-8. Choose another file."
        ) from error
    if len(content) > MAX_FILE_BYTES:
        raise InvalidInput(
            f"The study file {str(path)!r} is too large (at most {MAX_FILE_BYTES:,} bytes). Choose another file."
        )
    return parse_study(text, default_name=path.stem)


def parse_study(text: str, *, default_name: str = "") -> StudyDefinition:
    """Read the text of a study file; `default_name` stands where it has no name.

    Raises:
        InvalidStudy: as for `read_study`.
    """
    try:
        node = yaml.compose(text, Loader=StudyLoader)
        tree = None if node is None else StudyLoader("").construct_document(node)
        lines = _lines(node)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        what = str(getattr(error, "problem", None) or error).splitlines()[0][:120]
        raise InvalidStudy(
            (Problem(where, what, "", "Correct the text at that place."),)
        ) from error
    try:
        return parse_definition(definition_tree(tree, default_name=default_name))
    except (InvalidStudy, InvalidConfig) as error:
        raise InvalidStudy(tuple(_placed(problem, lines) for problem in error.problems)) from error


def definition_tree(tree: object, *, default_name: str = "") -> dict[str, Any]:
    """Turn what a file holds into the tree of a definition, not yet validated.

    Raises:
        InvalidStudy: a word is unknown, or a part is of the wrong kind.
        InvalidConfig: the base is no configuration.
    """
    if not isinstance(tree, Mapping):
        raise _refused(
            "",
            f"{'it is empty' if tree is None else f'{shown(tree)} is no study'}",
            "",
            "Begin with name: and space:.",
        )
    unknown = [str(word) for word in tree if word not in FIELDS]
    if unknown:
        raise InvalidStudy(
            tuple(
                Problem(
                    word,
                    f"{word!r} is no word of a study file",
                    listed(FIELDS),
                    did_you_mean(word, FIELDS),
                )
                for word in unknown
            )
        )
    space = tree.get("space")
    if not isinstance(space, Mapping) or not space:
        raise _refused(
            "space",
            "nothing is explored",
            "",
            "Write space: and below it a hyperparameter, such as batch_size: [32, 64].",
        )
    if "objective" in tree and "objectives" in tree:
        raise _refused("objective", "objectives stands there too", "", "Remove one of them.")
    base = _base(tree)
    definition: dict[str, Any] = {
        "name": tree.get("name", default_name),
        "space": {
            "base": base.model_dump(mode="json"),
            "parameters": [_parameter(str(path), wanted) for path, wanted in space.items()],
        },
    }
    for word in ("question", "parallelism", "race", "seeds", "seed"):
        if word in tree:
            definition[word] = tree[word]
    wanted = tree.get("objectives", tree.get("objective"))
    if wanted is not None:
        definition["objectives"] = wanted if isinstance(wanted, list) else [wanted]
    for word in ("sampler", "pruner"):
        if word in tree:
            definition[word] = _method(word, tree[word])
    if "budget" in tree:
        budget = tree["budget"]
        definition["budget"] = (
            {"trials": budget} if not isinstance(budget, Mapping) else dict(budget)
        )
    elif definition.get("sampler", {}).get("kind") == "grid":
        definition["budget"] = {}  # all of its points
    if "keep" in tree:
        definition["keep"] = _keep(tree["keep"])
    return definition


def _method(word: str, wanted: object) -> dict[str, Any]:
    if isinstance(wanted, Mapping):
        return dict(wanted)
    if not isinstance(wanted, str | None):
        raise _refused(
            word,
            f"{shown(wanted)} stands where a name is wanted",
            "",
            f"Write {word}: {'tpe' if word == 'sampler' else 'median'}.",
        )
    return {"kind": wanted or "none"}


def write_study(definition: StudyDefinition) -> str:
    """Write a definition as a study file that gives the same definition when it is read."""
    tree: dict[str, Any] = {"name": definition.name}
    if definition.question:
        tree["question"] = definition.question
    default = RunConfig().model_dump(mode="json")
    base = definition.space.base.model_dump(mode="json")
    changed = {name: value for name, value in base.items() if value != default[name]}
    if changed:
        tree["set"] = changed
    tree["space"] = {
        parameter.path: _written(parameter.model_dump(mode="json"))
        for parameter in definition.space.parameters
    }
    tree["objectives"] = list(definition.objectives)
    tree["sampler"] = definition.sampler.model_dump(mode="json")
    tree["pruner"] = definition.pruner.model_dump(mode="json")
    tree["budget"] = definition.budget.model_dump(mode="json", exclude_none=True)
    tree |= {
        "parallelism": definition.parallelism,
        "seeds": definition.seeds,
        "seed": definition.seed,
    }
    if definition.race:
        tree["race"] = True
    keep = definition.keep
    tree["keep"] = f"best {keep.n_best}" if keep.kind == "best" else keep.kind
    return str(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120))


def _base(tree: Mapping[str, Any]) -> RunConfig:
    name, changes = tree.get("base"), tree.get("set") or {}
    if not isinstance(name, str | None):
        raise _refused(
            "base",
            f"{shown(name)} is no name of a preset",
            "",
            "Write base: mlp_quick, and changes below set:.",
        )
    if not isinstance(changes, Mapping):
        raise _refused(
            "set",
            f"{shown(changes)} stands where fields and values are wanted",
            "",
            "Write set: and below it epochs: 5, say.",
        )
    try:
        config = preset(name).config if name is not None else RunConfig()
    except UnknownPreset as error:
        near = did_you_mean(str(name), PRESETS)
        raise _refused(
            "base", f"no preset {name!r}", "" if near else listed(PRESETS), near
        ) from error
    try:
        return with_overrides(config, [(str(path), value) for path, value in changes.items()])
    except InvalidConfig as error:
        raise InvalidStudy(
            tuple(replace(problem, path=f"set.{problem.path}") for problem in error.problems)
        ) from error


def _parameter(path: str, wanted: object) -> dict[str, Any]:
    place = f"space.{path}"
    if isinstance(wanted, list):
        return {"kind": "choice", "path": path, "values": _values(place, path, wanted)}
    if not isinstance(wanted, Mapping):
        remedy = "Write [a, b, c], or {low: 0.001, high: 0.1, log: true}."
        raise _refused(
            place, f"{shown(wanted)} stands where a list of values or a range is wanted", "", remedy
        )
    unknown = [str(word) for word in wanted if word not in _RANGE_FIELDS]
    if unknown:
        hint = did_you_mean(unknown[0], _RANGE_FIELDS)
        raise _refused(
            f"{place}.{unknown[0]}",
            f"{unknown[0]!r} is no word of a range",
            listed(_RANGE_FIELDS),
            hint,
        )
    fields = {str(word): value for word, value in wanted.items() if word != "when"}
    if "when" in wanted:
        fields["when"] = _conditions(place, wanted["when"])
    if "values" in fields:
        return (
            {"kind": "choice", "path": path}
            | fields
            | {"values": _values(place, path, fields["values"])}
        )
    missing = [word for word in ("low", "high") if word not in fields]
    if missing:
        raise _refused(place, f"the range has no {missing[0]}", "", f"Add {missing[0]}.")
    return {"kind": "int" if is_whole(path) else "float", "path": path} | fields


def _conditions(place: str, when: object) -> list[dict[str, Any]]:
    if not isinstance(when, Mapping):
        raise _refused(
            f"{place}.when",
            f"{shown(when)} is no condition",
            "",
            "Write when: {optimizer.kind: sgd}.",
        )
    conditions: list[dict[str, Any]] = []
    for path, allowed in when.items():
        if isinstance(allowed, Mapping):
            conditions.append({"path": str(path), **allowed})
        else:
            values = _values(
                f"{place}.when", str(path), allowed if isinstance(allowed, list) else [allowed]
            )
            conditions.append({"path": str(path), "values": values})
    return conditions


def read_values(path: str, values: object) -> list[Any]:
    """Read values of a setting that somebody typed, numbers as people write them.

    Raises:
        InvalidStudy: one stands where a number is wanted, and is none.
    """
    return _values(f"space.{path}", path, values) if values else []


def _values(place: str, path: str, values: object) -> list[Any]:
    """Read a list of values, numbers as people write them; of a whole number, one that is none stays as it is and is refused later.

    Raises:
        InvalidStudy: it is no list, a value is a list or a group, or a yes or no stands where a number is wanted.
    """
    if not isinstance(values, list) or not values:
        raise _refused(
            place,
            f"{shown(values)} stands where a list of values is wanted",
            "",
            "Write [a, b, c].",
        )
    found: list[Any] = []
    for value in values:
        if isinstance(value, list | Mapping):
            raise _refused(
                place,
                f"{shown(value)} stands where a single value is wanted",
                "",
                "Write [a, b, c].",
            )
        if isinstance(value, bool) and is_number(path):
            raise _refused(
                place, f"{shown(value)} is no number", "", "Write numbers, such as [32, 64]."
            )
        number = parse_number(value) if isinstance(value, str) else None
        if number is None:
            found.append(value)
            continue
        if is_whole(path) and isinstance(number, float):
            if not number.is_integer() or "." in str(value):
                raise _refused(
                    place,
                    f"{shown(value)} is no whole number",
                    "",
                    "Write whole numbers, such as [32, 64].",
                )
            number = int(number)
        found.append(number)
    return found


def _keep(wanted: object) -> dict[str, Any]:
    words = str(wanted).split()
    if words in (["all"], ["none"]) or wanted is None:
        return {"kind": words[0].lower()}
    if len(words) == 2 and words[0] == "best" and words[1].isdigit():
        return {"kind": "best", "n_best": int(words[1])}
    raise _refused(
        "keep",
        f"{shown(wanted)} is not known",
        "all, none, or best and a number",
        "Write keep: best 5.",
    )


def _written(parameter: dict[str, Any]) -> Any:  # noqa: ANN401 - YAML
    conditions = {
        condition["path"]: {"at_least": condition["at_least"]}
        if condition["at_least"] is not None
        else condition["values"]
        for condition in parameter["when"]
    }
    fields = {
        name: value
        for name, value in parameter.items()
        if name not in ("kind", "path", "when") and value is not None and value is not False
    }
    if parameter["kind"] == "choice":
        fields["values"] = parameter["values"]
    if parameter["kind"] == "int" and fields.get("step") == 1:
        del fields["step"]
    if conditions:
        fields["when"] = conditions
    return fields["values"] if list(fields) == ["values"] else fields


def _refused(path: str, fault: str, allowed: str, remedy: str) -> InvalidStudy:
    return InvalidStudy((Problem(path, fault, allowed, remedy),))


def _lines(node: yaml.Node | None, path: str = "") -> dict[str, int]:
    """Find the line, from 1, of every key of a document by its dotted path; a list's items by their index."""
    found: dict[str, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{path}.{key.value}" if path else str(key.value)
            found[inner] = key.start_mark.line + 1
            found |= _lines(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            found[f"{path}.{index}"] = value.start_mark.line + 1
            found |= _lines(value, f"{path}.{index}")
    return found


def _placed(problem: Problem, lines: Mapping[str, int]) -> Problem:
    """Say on which line a problem lies: that of its path, or of the longest part of it that the file has."""
    path = _as_written(problem.path, tuple(lines))
    wanted = path
    while wanted and wanted not in lines:
        wanted = wanted.rpartition(".")[0]
    line = lines.get(wanted) or lines.get(f"{wanted}s")
    return replace(problem, path=f"line {line}, {path}" if line else path)


def _as_written(path: str, written: tuple[str, ...]) -> str:
    """Turn ``space.parameters.2.low``, as validation counts, into the words of the file."""
    parts = path.split(".")
    if parts[:2] == ["space", "parameters"] and len(parts) > 2 and parts[2].isdigit():
        settings = [name for name in written if name.startswith("space.")]
        tops = [
            name
            for name in settings
            if not any(name.startswith(f"{other}.") for other in settings if other != name)
        ]
        index = int(parts[2])
        rest = [part for part in parts[3:] if part not in ("float", "int", "choice")]
        return ".".join([tops[index] if index < len(tops) else "space", *rest])
    if parts[0] == "objectives" and "objectives" not in written:
        return "objective"
    if parts[:2] == ["space", "base"]:
        return ".".join(["set", *parts[2:]])
    return path
