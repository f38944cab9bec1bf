"""What a person composes on the Studies page: a study that may still be wrong, and the link that brings it back.

The base is a configuration that is right; all else is a tree of what was typed. Nothing in it is trusted until `check` has made a
`StudyDefinition` of it, and what is wrong is named place by place. No Streamlit in here.
"""

from __future__ import annotations

import base64
import binascii
import copy
import itertools
import json
import re
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from mnist_dash.core.config import nested
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig, TailSplit
from mnist_dash.core.kinds.spec import Spec
from mnist_dash.core.layers import Activation
from mnist_dash.core.optimizers import OPTIMIZERS
from mnist_dash.core.scalings import SCALINGS
from mnist_dash.core.schedules import SCHEDULES
from mnist_dash.errors import InvalidInput, InvalidStudy, Problem
from mnist_dash.search.definition.methods import (
    OBJECTIVES,
    PRUNER_KINDS,
    SAMPLER_KINDS,
    ArtifactPolicy,
    Budget,
)
from mnist_dash.search.definition.network_shape import width_of
from mnist_dash.search.definition.proposals import kinds_with, listed, proposals, propose
from mnist_dash.search.definition.space import Choice, Parameter, control_of, is_whole
from mnist_dash.search.definition.space_rules import UNEXPLORED
from mnist_dash.search.definition.study_definition import (
    DEFAULT_TRIALS,
    MAX_NAME,
    StudyDefinition,
    parse_definition,
)
from mnist_dash.ui.forms.composition import FIRST_PRESET, Draft
from mnist_dash.ui.forms.places import CheckedDraft, Place, Tree, put_at, value_at

_METHODS: dict[str, dict[str, type[Spec]]] = {"sampler": SAMPLER_KINDS, "pruner": PRUNER_KINDS}
_DEFAULTS: Tree = {
    "name": None,
    "question": "",
    "epochs": None,
    "parameters": {},
    "objectives": ["val_accuracy"],
    "sampler": SAMPLER_KINDS["tpe"]().model_dump(mode="json"),
    "pruner": PRUNER_KINDS["none"]().model_dump(mode="json"),
    "budget": Budget(trials=DEFAULT_TRIALS).model_dump(mode="json"),
    "parallelism": 1,
    "race": False,
    "seeds": 1,
    "seed": 0,
    "keep": ArtifactPolicy().model_dump(mode="json"),
}
_RANGE: Tree = {
    "number": None,
    "as": "range",
    "low": None,
    "high": None,
    "log": False,
    "step": None,
    "values": [],
    "when": [],
}
MAX_OBJECTIVES = 3
_MAX_LINK = 20_000
_MAX_TREE = 500_000
_KIND = "optimizer.kind"
_PARAMETER: TypeAdapter[Parameter] = TypeAdapter(Parameter)
_generations = itertools.count(1)


def alternatives(path: str) -> tuple[Any, ...]:
    """List all values of a setting that is chosen from a list; none of others."""
    match path:
        case "optimizer.kind":
            return tuple(OPTIMIZERS)
        case "schedule.kind":
            return tuple(SCHEDULES)
        case "scaling":
            return tuple(SCALINGS)
        case "dense.activation":
            return get_args(Activation)
        case "conv.batch_norm":
            return (False, True)
    return ()


@dataclass(frozen=True)
class CheckedStudy(CheckedDraft):
    """What is right and what is wrong with a draft."""

    definition: StudyDefinition | None
    """The study, when nothing is wrong."""


@dataclass(frozen=True)
class StudyDraft:
    """A study in the making; every change gives a new draft."""

    base: RunConfig
    origin: str
    """What it started from: ``preset:NAME``, ``run:ID`` or ``file:NAME``."""
    tree: Tree
    """What was typed: name, parameters by path, objectives, sampler, pruner, budget and the rest."""
    had_leak: bool
    """Whether the base validated on the test set until a split was put in place of that."""
    generation: int
    """Another number for every draft that was not made by changing one."""

    @classmethod
    def from_config(cls, config: RunConfig, *, origin: str) -> StudyDraft:
        """Explore around a configuration; the learning rate to begin with."""
        draft = cls._around(config, origin, copy.deepcopy(_DEFAULTS))
        return draft.with_ticked("optimizer.learning_rate")

    @classmethod
    def from_preset(cls, name: str) -> StudyDraft:
        """Explore around a preset; an unknown name gives the first one."""
        name = name if name in PRESETS else FIRST_PRESET
        return cls.from_config(PRESETS[name].config, origin=f"preset:{name}")

    @classmethod
    def from_definition(cls, definition: StudyDefinition, *, origin: str) -> StudyDraft:
        """Go on from a study as it is."""
        tree = copy.deepcopy(_DEFAULTS) | definition.model_dump(mode="json", exclude={"space"})
        tree["objectives"] = list(definition.objectives)
        tree["parameters"] = {
            parameter.path: _fields(parameter) for parameter in definition.space.parameters
        }
        return cls(
            definition.space.base, origin, tree, had_leak=False, generation=next(_generations)
        )

    @classmethod
    def from_link(cls, text: str) -> StudyDraft:
        """Rebuild a draft from what `link` wrote.

        Raises:
            InvalidInput: it is cut off, or was never written by this page.
        """
        try:
            content = _unpacked(text)
            changes = Draft.from_link(content["preset"], [str(change) for change in content["set"]])
            config, tree = changes.check().config, _completed(content["tree"])
        except (
            KeyError,
            TypeError,
            AttributeError,
            ValueError,
            binascii.Error,
            zlib.error,
            RecursionError,
        ) as error:
            raise _bad_link(text) from error
        if config is None:
            raise _bad_link(text)
        return cls(
            config,
            str(content.get("origin", "")),
            tree,
            bool(content.get("leak")),
            next(_generations),
        )

    @classmethod
    def _around(cls, config: RunConfig, origin: str, tree: Tree) -> StudyDraft:
        """Take a configuration as the base, with a split of its own where it validates on the test set."""
        leaks = config.leaks_test_set
        if leaks:
            split = TailSplit()
            n_left = round(config.n_training * (1 - split.fraction))
            config = config.model_copy(
                update={"split": split, "batch_size": min(config.batch_size, n_left)}
            )
        return cls(config, origin, tree, leaks, next(_generations))

    def link(self) -> str:
        """Write the text that brings this draft back: letters, digits, minus and underscore."""
        preset = self.origin.removeprefix("preset:")
        base = Draft.from_config(
            self.base, preset=preset if preset in PRESETS else FIRST_PRESET
        ).link()
        tree = {name: value for name, value in self.tree.items() if value != _DEFAULTS[name]}
        tree["parameters"] = {path: _brief(fields) for path, fields in self.parameters.items()}
        content = {
            "origin": self.origin,
            "preset": base["preset"],
            "set": base.get("set", []),
            "tree": tree,
            "leak": int(self.had_leak),
        }
        packed = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 9)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    # reading

    @property
    def parameters(self) -> Mapping[str, Tree]:
        """What is explored, by path, in its order."""
        explored: dict[str, Tree] = self.tree["parameters"]
        return explored

    def value(self, place: Place) -> Any:  # noqa: ANN401 - JSON
        """Read what was typed; None where the place does not exist."""
        return value_at(self.tree, place)

    def is_available(self, path: str) -> bool:
        """Say whether a proposed setting can be ticked now: whether what it requires is explored."""
        required = next(
            (proposal.requires for proposal in proposals(self.base) if proposal.path == path), ()
        )
        return set(required) <= set(self.parameters)

    @property
    def other_settings(self) -> tuple[str, ...]:
        """Name the further settings of the base that could be explored: numbers, switches and words that are not proposed."""
        known = {*self.parameters, *(proposal.path for proposal in proposals(self.base))}
        controls = (
            (path, control_of(self.base, path))
            for path, _ in _leaves(self.base.model_dump(mode="json"))
            if path not in known
        )
        return tuple(path for path, control in controls if control is None or control.is_searchable)

    @property
    def proposed_name(self) -> str:
        """Name it after what it starts from and what it explores."""
        titles = {proposal.path: proposal.title for proposal in proposals(self.base)}
        explored = [titles.get(path, path) for path in self.parameters]
        shown = explored if len(explored) <= 3 else [*explored[:2], f"{len(explored) - 2} more"]
        return (
            _slug(" ".join([self.origin.partition(":")[2], *shown]))[:MAX_NAME].strip("-")
            or "study"
        )

    def check(self, *, name: str = "", also: Collection[Problem] = ()) -> CheckedStudy:
        """Find out whether it is a study, and what is wrong where it is not.

        Args:
            name: stands where none was typed.
            also: problems that only the store knows of.
        """
        checked = self._check(name or self.proposed_name)
        return CheckedStudy((*also, *checked.problems), None) if also else checked

    def _check(self, name: str) -> CheckedStudy:
        if not self.parameters:
            problem = Problem(
                "space",
                "nothing is explored",
                "",
                "Tick a hyperparameter, such as the learning rate.",
            )
            return CheckedStudy((problem,), None)
        plain = tuple(self._plain_problems())
        if plain:
            return CheckedStudy(plain, None)
        try:
            return CheckedStudy((), parse_definition(self._definition_tree(name)))
        except InvalidStudy as error:
            return CheckedStudy(tuple(self._placed(problem) for problem in error.problems), None)

    def _plain_problems(self) -> Iterator[Problem]:
        """Find what validation would say in its own words only."""
        n_objectives, name = len(self.tree["objectives"]), str(self.tree["name"] or "")
        if not n_objectives:
            yield Problem(
                "objectives", "no objective is chosen", "", "Choose validation accuracy, say."
            )
        if n_objectives > MAX_OBJECTIVES:
            yield Problem(
                "objectives",
                f"{n_objectives} objectives are too many",
                f"at most {MAX_OBJECTIVES}",
                "Leave one out.",
            )
        if len(name) > MAX_NAME:
            yield Problem(
                "name", f"{len(name)} characters are too many", f"at most {MAX_NAME}", "Shorten it."
            )
        for path, fields in self.parameters.items():
            if any(_is_never(each) for each in fields["when"]):
                yield _stranded(path)
            elif fields["as"] == "list" and not fields["values"]:
                yield Problem(
                    f"space.{path}",
                    "its list of values is empty",
                    "",
                    "Choose one, or remove this hyperparameter.",
                )

    def _definition_tree(self, name: str) -> Tree:
        tree = {part: value for part, value in self.tree.items() if part != "parameters"}
        tree["name"] = self.tree["name"] or name
        base = self.base.model_dump(mode="json")
        epochs = tree.pop("epochs")
        if epochs is not None and "epochs" not in self.parameters:
            base["epochs"] = epochs
        tree["space"] = {
            "base": base,
            "parameters": [_parameter(path, fields) for path, fields in self.parameters.items()],
        }
        return tree

    def _placed(self, problem: Problem) -> Problem:
        """Name the place of a problem by the setting instead of by its number."""
        found = re.match(r"space\.parameters\.(\d+)\.?(?:float|int|choice)?\.?(.*)$", problem.path)
        if found is not None:
            path = ".".join(filter(None, ("space", list(self.parameters)[int(found[1])], found[2])))
            return replace(problem, path=path)
        if problem.path.startswith("space.base."):
            return replace(problem, path=problem.path.removeprefix("space.base."))
        part, *rest = problem.path.split(".")
        if part in _METHODS and rest and rest[0] in _METHODS[part]:
            return replace(problem, path=".".join([part, *rest[1:]]))
        return problem

    # changing

    def changed(self, place: Place, value: Any) -> StudyDraft:  # noqa: ANN401 - JSON
        """Put what was typed in its place; a place that does not exist any more takes nothing."""
        tree = copy.deepcopy(self.tree)
        if not put_at(tree, place, value):
            return self
        return _reconciled(replace(self, tree=tree), self)

    def with_ticked(self, *paths: str) -> StudyDraft:
        """Explore settings that were proposed, each with its proposed range."""
        known = [proposal.path for proposal in proposals(self.base)]
        wanted = [*self.parameters, *paths]
        ranges = {parameter.path: parameter for parameter in propose(self.base, wanted)}
        parameters = dict(self.parameters)
        for path in known:
            if path not in paths or path in parameters or path not in ranges:
                continue
            after = next(
                (
                    index
                    for index, other in enumerate(parameters)
                    if other in known and known.index(other) > known.index(path)
                ),
                None,
            )
            items = list(parameters.items())
            items.insert(len(items) if after is None else after, (path, _fields(ranges[path])))
            parameters = dict(items)
        return _reproposed(self, parameters)

    def with_setting(self, path: str) -> StudyDraft:
        """Explore any other setting of the base, about its value."""
        value = dict(_leaves(self.base.model_dump(mode="json"))).get(path)
        if value is None or path in self.parameters:
            return self
        return _with_parameters(
            self, dict(self.parameters) | {path: _about(self.base, path, value)}
        )

    def without(self, *paths: str) -> StudyDraft:
        """Explore settings no more, nor those that cannot be explored without them."""
        parameters = {path: fields for path, fields in self.parameters.items() if path not in paths}
        required = {proposal.path: proposal.requires for proposal in proposals(self.base)}
        while stranded := [
            path for path in parameters if not set(required.get(path, ())) <= set(parameters)
        ]:
            parameters = {
                path: fields for path, fields in parameters.items() if path not in stranded
            }
        return _reproposed(self, parameters)

    def with_choice_of(self, known: Collection[str], ticked: Collection[str]) -> StudyDraft:
        """Explore exactly `ticked` of the settings `known`; all others stay as they are."""
        gone = [path for path in known if path in self.parameters and path not in ticked]
        return self.without(*gone).with_ticked(*ticked)

    def with_base(self, config: RunConfig, *, origin: str) -> StudyDraft:
        """Explore around another configuration: the same settings as far as it has them, ranges that were typed kept."""
        former = {
            parameter.path: _fields(parameter)
            for parameter in propose(self.base, list(self.parameters))
        }
        fresh = StudyDraft._around(config, origin, copy.deepcopy(self.tree) | {"parameters": {}})
        fresh = fresh.with_ticked(*self.parameters)
        kept = {
            path: self.parameters[path] if self.parameters[path] != former.get(path) else fields
            for path, fields in fresh.parameters.items()
        }
        offered = [proposal.path for proposal in proposals(self.base)]
        others = [path for path in self.parameters if path not in kept and path not in offered]
        found = {path for path, _ in _leaves(config.model_dump(mode="json"))}
        counts = {path: (width_of(path) or ("",))[0] for path in others}
        return _with_parameters(
            fresh,
            kept
            | {
                path: self.parameters[path]
                for path in others
                if path in found or counts[path] in kept
            },
        )

    def with_method(self, part: str, kind: str) -> StudyDraft:
        """Put another sampler or pruner in place, with its defaults; a grid ends by itself, the others need a budget."""
        draft = self.changed((part,), _METHODS[part][kind]().model_dump(mode="json"))
        if part != "sampler":
            return draft
        budget = dict(draft.tree["budget"])
        if kind == "grid" and budget == _DEFAULTS["budget"]:
            budget["trials"] = None
        elif kind != "grid" and not any(budget.values()):
            budget["trials"] = DEFAULT_TRIALS
        return draft.changed(("budget",), budget)

    def with_shape(self, path: str, shape: str) -> StudyDraft:
        """Draw a setting from a ``range`` or from a ``list`` of values; a list that is empty gets values of the range."""
        fields = dict(self.parameters[path]) | {"as": shape}
        if shape == "list" and not fields["values"]:
            proposed = [
                each for each in propose(self.base, list(self.parameters)) if each.path == path
            ]
            own = _range(path, fields) or next(iter(proposed), None)
            fields["values"] = list(listed(own)) if own is not None else []
        numbers = [
            value
            for value in fields["values"]
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        if shape == "range" and fields["low"] is None and fields["high"] is None and numbers:
            fields |= {"low": min(numbers), "high": max(numbers)}
        return self.changed(("parameters", path), fields)

    @property
    def needs_lists(self) -> bool:
        """Whether a grid is to be searched that some range has no values for."""
        return bool(
            self.value("sampler.kind") == "grid"
            and any(map(_is_continuous, self.parameters.values()))
        )

    def with_lists(self) -> StudyDraft:
        """Give every range without steps a list of values, so that a grid can enumerate them."""
        draft = self
        for path, fields in self.parameters.items():
            if _is_continuous(fields) or (fields["as"] == "range" and fields["log"]):
                draft = draft.with_shape(path, "list")
        return draft


def _with_parameters(draft: StudyDraft, parameters: Mapping[str, Tree]) -> StudyDraft:
    tree = copy.deepcopy(draft.tree) | {"parameters": copy.deepcopy(dict(parameters))}
    return _reconciled(replace(draft, tree=tree), draft)


def _reproposed(draft: StudyDraft, parameters: Mapping[str, Tree]) -> StudyDraft:
    """Explore these; a range that is still as it was proposed follows what is proposed beside the others now."""
    former, now = (
        {each.path: _fields(each) for each in propose(draft.base, list(paths))}
        for paths in (draft.parameters, parameters)
    )
    untouched = [
        path
        for path, fields in parameters.items()
        if path in now and fields | {"when": []} == former.get(path, {}) | {"when": []}
    ]
    return _with_parameters(
        draft,
        {path: now[path] if path in untouched else fields for path, fields in parameters.items()},
    )


def _reconciled(draft: StudyDraft, former: StudyDraft) -> StudyDraft:
    """Tie the settings of optimizers to the kinds that have them; conditions that were written by hand stay while they can hold."""
    kinds, past = (each.value(("parameters", _KIND, "values")) for each in (draft, former))
    for path, fields in draft.parameters.items():
        leaf = path.removeprefix("optimizer.")
        if leaf in (path, "kind"):
            continue
        others = [condition for condition in fields["when"] if condition.get("path") != _KIND]
        own = [condition for condition in fields["when"] if condition.get("path") == _KIND]
        wanted = _condition(leaf, kinds)
        if isinstance(kinds, list) and own and own != _condition(leaf, past):
            allowed = [
                value
                for condition in own
                for value in condition.get("values", ())
                if value in kinds
            ]
            wanted = [{"path": _KIND, "values": allowed, "at_least": None}] if allowed else wanted
        fields["when"] = [*others, *wanted]
    return draft


def _condition(leaf: str, kinds: object) -> list[Tree]:
    if not isinstance(kinds, list):
        return []
    fitting = list(kinds_with(leaf, kinds))
    return (
        [] if len(fitting) == len(kinds) else [{"path": _KIND, "values": fitting, "at_least": None}]
    )


def _is_continuous(fields: Tree) -> bool:
    return fields["as"] == "range" and fields["number"] == "float" and fields["step"] is None


def _is_never(condition: Tree) -> bool:
    return condition.get("path") == _KIND and not condition.get("values")


def _stranded(path: str) -> Problem:
    leaf = path.removeprefix("optimizer.")
    having = ", ".join(map(str, kinds_with(leaf, OPTIMIZERS)))
    return Problem(
        f"space.{path}",
        f"no optimizer that is explored has {leaf}",
        "",
        f"Add one of {having}, or remove this hyperparameter.",
    )


def _fields(parameter: Parameter) -> Tree:
    """Write a parameter as the fields in which it is typed."""
    fields = parameter.model_dump(mode="json", exclude={"path", "kind"})
    if isinstance(parameter, Choice):
        is_number = all(
            isinstance(value, int | float) and not isinstance(value, bool)
            for value in parameter.values
        )
        number = (
            None
            if alternatives(parameter.path) or not is_number
            else "int"
            if is_whole(parameter.path)
            else "float"
        )
        return copy.deepcopy(_RANGE) | fields | {"number": number, "as": "list"}
    if parameter.kind == "int" and parameter.step == 1:
        fields["step"] = None
    return copy.deepcopy(_RANGE) | fields | {"number": parameter.kind}


def _leaves(node: object) -> Iterator[tuple[str, Any]]:
    """List the settings of a configuration that have a single value, but for those that make another part of a part."""

    def explored(path: str) -> bool:
        return path.rpartition(".")[2] not in ("kind", "features") and path not in UNEXPLORED

    return (
        (path, value) for path, value in nested.leaves(node, keep=explored) if value is not None
    )


def _about(base: RunConfig, path: str, value: bool | float | str) -> Tree:  # noqa: FBT001 - a value of any setting
    """Give the range of a setting that its kind names, or one about its value; the rules of the setting say where it goes too far."""
    if isinstance(value, bool):
        return copy.deepcopy(_RANGE) | {"as": "list", "values": [value, not value]}
    if isinstance(value, str):
        return copy.deepcopy(_RANGE) | {"as": "list", "values": [value]}
    control = control_of(base, path)
    if control is not None and control.search is not None:
        low, high = min(control.search.low, value), max(control.search.high, value)
        return copy.deepcopy(_RANGE) | {
            "number": "float",
            "low": low,
            "high": high,
            "log": control.search.log,
        }
    if is_whole(path):
        return copy.deepcopy(_RANGE) | {
            "number": "int",
            "low": value // 2,
            "high": max(1, 2 * int(value)),
        }
    if value > 0:
        return copy.deepcopy(_RANGE) | {"number": "float", "low": value / 2, "high": 2 * value}
    return copy.deepcopy(_RANGE) | {"number": "float", "low": 0.0, "high": 0.1}


def _parameter(path: str, fields: Tree) -> Tree:
    """Turn what was typed into the tree of a parameter."""
    if fields["as"] == "list":
        return {"kind": "choice", "path": path, "values": fields["values"], "when": fields["when"]}
    tree = {"kind": fields["number"], "path": path} | {
        name: fields[name] for name in ("low", "high", "log", "when")
    }
    if fields["step"] is not None:
        tree["step"] = fields["step"]
    return tree


def _range(path: str, fields: Tree) -> Parameter | None:
    """Read the range that was typed; None where it is none."""
    if fields["number"] is None:
        return None
    try:
        return _PARAMETER.validate_python(_parameter(path, fields | {"as": "range"}))
    except ValidationError:
        return None


def _brief(fields: Tree) -> Tree:
    return {name: value for name, value in fields.items() if value != _RANGE[name]}


def _completed(tree: Any) -> Tree:  # noqa: ANN401 - JSON
    """Fill in what a link leaves out.

    Raises:
        ValueError: a part is not of the kind that the page can show.
    """
    whole = copy.deepcopy(_DEFAULTS) | {
        name: value for name, value in tree.items() if name in _DEFAULTS
    }
    for part, kinds in _METHODS.items():
        method = kinds[whole[part]["kind"]]
        whole[part] = method().model_dump(mode="json") | {
            n: v for n, v in whole[part].items() if n in method.model_fields
        }
    whole["budget"] = (
        _DEFAULTS["budget"]
        | {"trials": None}
        | {n: v for n, v in whole["budget"].items() if n in Budget.model_fields}
    )
    whole["keep"] = _DEFAULTS["keep"] | {
        n: v for n, v in whole["keep"].items() if n in ArtifactPolicy.model_fields
    }
    if not set(whole["objectives"]) <= set(OBJECTIVES):
        raise ValueError(whole["objectives"])
    parameters = {}
    for path, fields in whole["parameters"].items():
        own = copy.deepcopy(_RANGE) | {
            name: value for name, value in fields.items() if name in _RANGE
        }
        if (
            own["number"] not in (None, "int", "float")
            or own["as"] not in ("range", "list")
            or (own["as"] == "range" and not own["number"])
        ):
            raise ValueError(path)
        if not isinstance(own["values"], list) or not all(
            isinstance(condition, dict) for condition in own["when"]
        ):
            raise ValueError(path)
        parameters[str(path)] = own
    whole["parameters"] = parameters
    return whole


def _unpacked(text: str) -> Tree:
    if len(text) > _MAX_LINK:
        raise ValueError(len(text))
    packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    content: Tree = json.loads(zlib.decompressobj().decompress(packed, _MAX_TREE))
    return content


def _bad_link(text: str) -> InvalidInput:
    return InvalidInput(
        f"The study in the link is cut off or altered: {text[:24]!r}. Copy the whole link again. The first preset is shown instead."
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
