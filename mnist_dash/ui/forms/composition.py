"""What a person composes on the Train page: a configuration that may still be wrong, and the link that brings it back.

A draft is the JSON of a configuration. Nothing in it is trusted until `check` has made a `RunConfig` of it; what is wrong is named field by
field, and as many layers as fit are planned, so that the page can say what stands where. No Streamlit in here.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import (
    N_HOG_FEATURES,
    RandomSplit,
    RunConfig,
    StratifiedSplit,
    TailSplit,
    TestAsValidation,
    parse_config,
)
from mnist_dash.core.kinds.spec import Spec
from mnist_dash.core.layers import (
    INITIALIZERS,
    LAYERS,
    ImpossibleLayer,
    Layer,
    LayerPlan,
    Shape,
    plan,
)
from mnist_dash.core.optimizers import OPTIMIZERS
from mnist_dash.core.schedules import SCHEDULES
from mnist_dash.errors import InvalidConfig, InvalidInput, Problem
from mnist_dash.text import did_you_mean
from mnist_dash.ui.forms.places import CheckedDraft, Place, Tree, put_at, value_at

PartName = Literal["optimizer", "schedule", "split"]
FIRST_PRESET = next(iter(PRESETS))
PART_KINDS: Mapping[str, Mapping[str, type[Spec]]] = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "split": {
        "tail": TailSplit,
        "random": RandomSplit,
        "stratified": StratifiedSplit,
        "test_as_validation": TestAsValidation,
    },
}
"""The kinds that each part of a configuration may be."""

_LAYER: TypeAdapter[Layer] = TypeAdapter(Layer)
_keys = itertools.count(1)


@dataclass(frozen=True)
class Checked(CheckedDraft):
    """What is right and what is wrong with a draft."""

    config: RunConfig | None
    """The configuration, when nothing is wrong."""
    plans: tuple[LayerPlan, ...]
    """The plans of the first layers, up to the first one that is wrong or does not fit."""


@dataclass(frozen=True)
class Draft:
    """A configuration in the making; every change gives a new draft."""

    preset: str
    """The preset from which it started."""
    tree: Tree
    """The configuration's JSON, complete but not necessarily right."""
    layer_keys: tuple[int, ...]
    """One number a layer that stays with it when it moves."""
    generation: int
    """Another number for every draft that was not made by changing one."""

    @classmethod
    def from_config(cls, config: RunConfig, *, preset: str = FIRST_PRESET) -> Draft:
        """Start from a configuration."""
        return cls._new(preset, config.model_dump(mode="json"))

    @classmethod
    def from_preset(cls, name: str) -> Draft:
        """Start from a preset; an unknown name gives the first one."""
        name = name if name in PRESETS else FIRST_PRESET
        return cls.from_config(PRESETS[name].config, preset=name)

    @classmethod
    def from_link(cls, preset: str, changes: Sequence[str]) -> Draft:
        """Rebuild a draft from the parts of a link, as `link` writes them.

        Raises:
            InvalidInput: the link names no preset, or its changes cannot be shown.
        """
        if preset not in PRESETS:
            raise unknown_preset(preset)
        tree = cls.from_preset(preset).tree
        for change in changes:
            path, separator, text = change.partition("=")
            try:
                value = json.loads(text)
            except ValueError:
                value = text
            if not separator or not put_at(tree, path, value):
                raise InvalidInput(
                    f"Unknown setting in the link: {change[:80]!r} (a field of the configuration, =, and its value). "
                    "The preset is shown instead."
                )
        _complete(tree)
        return cls._new(preset, tree)

    @classmethod
    def _new(cls, preset: str, tree: Tree) -> Draft:
        return cls(preset, tree, tuple(next(_keys) for _ in tree["layers"]), next(_keys))

    def value(self, place: Place) -> Any:  # noqa: ANN401 - JSON
        """Read one field, such as ``layers.2.units``; None where there is none."""
        return value_at(self.tree, place)

    def changed(self, place: Place, value: Any) -> Draft:  # noqa: ANN401 - JSON
        """Set one field, such as ``layers.2.units``; a place that does not exist takes nothing."""
        tree = copy.deepcopy(self.tree)
        put_at(tree, place, value)
        return replace(self, tree=tree)

    def with_initializer(self, path: str, kind: str) -> Draft:
        """Put another kind of initialiser in place at ``layers.<index>.<part>``, with its defaults."""
        return self.changed(path, INITIALIZERS[kind]().model_dump(mode="json"))

    def with_part(self, part: PartName, kind: str) -> Draft:
        """Put another kind of optimizer, schedule or split in place, with its defaults."""
        return self.changed(part, PART_KINDS[part][kind]().model_dump(mode="json"))

    def with_layer(self, kind: str) -> Draft:
        """Add a layer where one of its kind usually stands: image layers before the flatten layer, all others before the last layer."""
        layers = list(self.tree["layers"])
        place = max(0, len(layers) - 1)
        if LAYERS[kind].takes_images:
            place = next(
                (
                    index
                    for index, layer in enumerate(layers)
                    if layer["kind"] in ("flatten", "dense")
                ),
                place,
            )
        layers.insert(place, LAYERS[kind]().model_dump(mode="json"))
        return self._with_layers(
            layers, (*self.layer_keys[:place], next(_keys), *self.layer_keys[place:])
        )

    def without_layer(self, index: int) -> Draft:
        """Remove a layer."""
        layers = [layer for number, layer in enumerate(self.tree["layers"]) if number != index]
        return self._with_layers(
            layers, tuple(key for number, key in enumerate(self.layer_keys) if number != index)
        )

    def with_layer_moved(self, index: int, by: int) -> Draft:
        """Move a layer up (negative) or down (positive); beyond the ends nothing happens."""
        target = index + by
        if not 0 <= target < len(self.layer_keys):
            return self
        layers, keys = list(self.tree["layers"]), list(self.layer_keys)
        layers.insert(target, layers.pop(index))
        keys.insert(target, keys.pop(index))
        return self._with_layers(layers, tuple(keys))

    def _with_layers(self, layers: list[Tree], keys: tuple[int, ...]) -> Draft:
        return replace(self, tree=self.tree | {"layers": layers}, layer_keys=keys)

    @property
    def input_shape(self) -> Shape:
        """Shape of what goes into the first layer: an image, channels last, or a vector of features."""
        return (28, 28, 1) if self.tree["features"] == "pixels" else (N_HOG_FEATURES,)

    @property
    def is_changed(self) -> bool:
        """Whether it differs from its preset."""
        return self.tree != PRESETS[self.preset].config.model_dump(mode="json")

    def link(self) -> dict[str, str | list[str]]:
        """Write the query parameters that bring this draft back: its preset and what differs from it."""
        base = PRESETS[self.preset].config.model_dump(mode="json")
        changes = [
            f"{path}={json.dumps(value, separators=(',', ':'))}"
            for path, value in _differences(base, self.tree)
        ]
        return {"preset": self.preset, "set": changes} if changes else {"preset": self.preset}

    def check(self) -> Checked:
        """Find out whether it is a configuration, and what is wrong where it is not."""
        plans, misfit = _plan_as_far_as_possible(self.tree["layers"], self.input_shape)
        try:
            return Checked((), parse_config(self.tree), plans)
        except InvalidConfig as error:
            problems = error.problems
        if misfit is not None and all(problem.path != misfit.path for problem in problems):
            problems = (*problems, misfit)
        return Checked(problems, None, plans)


def _plan_as_far_as_possible(
    layers: Sequence[Tree], input_shape: Shape
) -> tuple[tuple[LayerPlan, ...], Problem | None]:
    """Plan the leading layers that are right, and name the first that does not fit what comes before it."""
    specs: list[Layer] = []
    for layer in layers:
        try:
            specs.append(_LAYER.validate_python(layer))
        except ValidationError:
            break
    try:
        return plan(tuple(specs), input_shape), None
    except ImpossibleLayer as error:
        return plan(tuple(specs[: error.index]), input_shape), error.problem


def unknown_preset(name: str) -> InvalidInput:
    """Say that a link names no preset."""
    meant = did_you_mean(name, PRESETS)
    return InvalidInput(
        f"Unknown preset {name[:40]!r} in the link. The first preset is shown instead. {meant}".strip()
    )


def _complete(tree: Tree) -> None:
    """Fill in the defaults that a link leaves out.

    Raises:
        InvalidInput: a part is of no known kind, so that there is nothing to show for it.
    """
    for part, kinds in PART_KINDS.items():
        tree[part] = _completed(tree[part], kinds)
    if not isinstance(tree["layers"], list):
        raise InvalidInput(
            f"The layers in the link are no list: {tree['layers']!r:.80}. The preset is shown instead."
        )
    tree["layers"] = [_completed(layer, LAYERS) for layer in tree["layers"]]
    for part in ("augmentation", "early_stopping"):
        if not isinstance(tree[part], dict | None):
            raise InvalidInput(
                f"Unknown {part.replace('_', ' ')} in the link: {tree[part]!r:.80} (an object with its settings, or null). "
                "The preset is shown instead."
            )


def _completed(part: Any, kinds: Mapping[str, type[Spec]]) -> Tree:  # noqa: ANN401 - JSON
    kind = part.get("kind") if isinstance(part, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise InvalidInput(
            f"Unknown kind in the link: {part!r:.80} (one of {', '.join(kinds)}). The preset is shown instead."
        )
    completed: Tree = kinds[kind]().model_dump(mode="json") | part
    return completed


def _differences(base: Tree, tree: Tree) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        former = base[name]
        if value == former:
            continue
        if (
            isinstance(value, dict)
            and isinstance(former, dict)
            and value.get("kind") == former.get("kind")
        ):
            yield from (
                (f"{name}.{leaf}", inner)
                for leaf, inner in value.items()
                if inner != former.get(leaf)
            )
        elif name == "layers":
            yield from _layer_differences(former, value)
        else:
            yield name, _brief(value, PART_KINDS[name]) if name in PART_KINDS else value


def _layer_differences(base: Sequence[Tree], layers: Sequence[Tree]) -> Iterator[tuple[str, Any]]:
    """Name changed fields one by one while the kinds of the layers are the preset's, and write the whole list otherwise."""
    if [layer["kind"] for layer in base] != [layer["kind"] for layer in layers]:
        yield "layers", [_brief(layer, LAYERS) for layer in layers]
        return
    for index, (former, layer) in enumerate(zip(base, layers, strict=True)):
        yield from (
            (f"layers.{index}.{leaf}", value)
            for leaf, value in layer.items()
            if value != former.get(leaf)
        )


def _brief(part: Tree, kinds: Mapping[str, type[Spec]]) -> Tree:
    defaults = kinds[part["kind"]]().model_dump(mode="json")
    return {
        name: value for name, value in part.items() if name == "kind" or value != defaults.get(name)
    }
