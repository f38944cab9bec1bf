"""The base of every part of a configuration, and of those parts that come in kinds."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from mnist_dash.core.kinds.controls import Control
from mnist_dash.core.kinds.problems import in_own_words, typed


class Spec(BaseModel):
    """Base of every part of a configuration: frozen, nothing unknown, no NaN and no infinity."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    @model_validator(mode="wrap")
    @classmethod
    def _in_own_words(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401 - whatever was typed
        try:
            return handler(typed(cls, values))
        except ValidationError as error:
            raise in_own_words(error, cls) from error


class Kind(Spec):
    """One kind of a part: a layer, an optimizer, a schedule, an initialiser, a scaling.

    A subclass declares ``kind: Literal["its_name"] = "its_name"``, its fields with their bounds, and what its base asks for. It is found by
    that name once it is in its `mnist_dash.core.kinds.registry.Registry`.
    """

    model_config = ConfigDict(defer_build=True)  # a page imports every kind and validates few

    label: ClassVar[str]
    """Its name on a page."""
    controls: ClassVar[tuple[Control, ...]] = ()
    """How the page editor shows its fields, in their order."""

    @classmethod
    def control(cls, field: str) -> Control | None:
        """Find the control of a field; None where it has none."""
        return next((control for control in cls.controls if control.field == field), None)
