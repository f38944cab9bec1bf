"""Registries: the kinds of a part by name, open to kinds that are added later.

A field of a configuration that takes any kind of a registry is annotated with `OneOf`, one that takes the name of a kind with `NameOf`.
Both look into the registry when a value is validated, so that a kind is accepted as soon as it is registered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from mnist_dash.core.kinds.spec import Kind

K = TypeVar("K", bound=Kind)


class Registry(Mapping[str, type[K]], Generic[K]):
    """The kinds of one part by name, in the order in which they were registered.

    Args:
        kinds: those that come with the product.
    """

    def __init__(self, kinds: Iterable[type[K]]) -> None:
        self._kinds: dict[str, type[K]] = {}
        for kind in kinds:
            self.register(kind)

    def register(self, kind: type[K]) -> None:
        """Add a kind under its own name.

        Raises:
            ValueError: the name is taken.
        """
        name = name_of(kind)
        if name in self._kinds:
            raise ValueError(
                f"The kind {name!r} is registered already, as {self._kinds[name].__name__}. Choose another name."
            )
        self._kinds[name] = kind

    @contextmanager
    def extended(self, *kinds: type[K]) -> Iterator[None]:
        """Add kinds for a while."""
        before = dict(self._kinds)
        try:
            for kind in kinds:
                self.register(kind)
            yield
        finally:
            self._kinds = before

    def __getitem__(self, name: str) -> type[K]:
        return self._kinds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    @property
    def labels(self) -> dict[str, str]:
        """The names of the kinds on a page, by kind."""
        return {name: kind.label for name, kind in self._kinds.items()}

    def validate(self, value: Any) -> K:  # noqa: ANN401 - anything that was typed
        """Turn a mapping with a ``kind`` into that kind; an object of a registered kind stays as it is.

        Raises:
            PydanticKnownError: the kind is missing or unknown.
            ValidationError: a field breaks its rule.
        """
        if isinstance(value, dict):
            if "kind" not in value:
                raise PydanticKnownError("union_tag_not_found", {"discriminator": "'kind'"})
            name = value["kind"]
            kind = self._kinds.get(name) if isinstance(name, str) else None
            if kind is None:
                expected = ", ".join(repr(known) for known in self._kinds)
                raise PydanticKnownError(
                    "union_tag_invalid",
                    {"discriminator": "'kind'", "tag": str(name), "expected_tags": expected},
                )
            found: K = kind.__pydantic_validator__.validate_python(value)
            return found
        if isinstance(value, Kind) and self._kinds.get(name_of(type(value))) is type(value):
            return value
        raise PydanticKnownError("model_attributes_type")


def name_of(kind: type[Kind]) -> str:
    """Give the name by which a kind is written in a configuration."""
    return str(kind.model_fields["kind"].default)


@dataclass(frozen=True, eq=False)
class OneOf:
    """Marks a field that takes an object of any kind of a registry: ``Annotated[Layer, OneOf(LAYERS)]``."""

    registry: Registry[Any]

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.registry.validate)


@dataclass(frozen=True, eq=False)
class NameOf:
    """Marks a field that takes the name of a kind of a registry: ``Annotated[str, NameOf(SCALINGS)]``."""

    registry: Registry[Any]

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def _validate(self, value: object) -> str:
        if isinstance(value, str) and value in self.registry:
            return value
        *others, last = (repr(name) for name in self.registry)
        raise PydanticKnownError(
            "literal_error", {"expected": f"{', '.join(others)} or {last}" if others else last}
        )


def alternatives(annotation: object, metadata: Iterable[object] = ()) -> Iterator[Any]:
    """List what a field may take: the members of unions, literals and tuples, and the kinds, or their names, of a registry.

    Args:
        annotation: of the field.
        metadata: what pydantic took off the annotation, `FieldInfo.metadata`.
    """
    for mark in metadata:
        if isinstance(mark, OneOf):
            yield from mark.registry.values()
            return
        if isinstance(mark, NameOf):
            yield from mark.registry
            return
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        yield from alternatives(inner, marks)
    elif origin is Literal:
        yield from get_args(annotation)
    elif origin in (Union, UnionType, tuple):
        for part in get_args(annotation):
            yield from alternatives(part)
    else:
        yield annotation
