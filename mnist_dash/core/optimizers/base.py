"""What an optimizer kind says of itself: its fields, its update, and its lines in an exported script. No torch until it is built."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from mnist_dash.core.kinds.controls import Control, SearchRange
from mnist_dash.core.kinds.spec import Kind
from mnist_dash.glossary import help_for

if TYPE_CHECKING:
    from torch import Tensor

    from mnist_dash.core.optimizers.torch_optimizer import TorchOptimizer

LearningRate = Annotated[float, Field(gt=0, le=100)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Epsilon = Annotated[float, Field(gt=0, le=1)]

LEARNING_RATE = Control(
    "learning_rate", "Learning rate", hint=help_for("learning rate", "Type 0.001 or 1e-3.")
)
MOMENTUM = Control("momentum", "Momentum", hint=help_for("momentum"), search=SearchRange(0.0, 0.99))
BETAS = (
    Control("beta_1", "Beta 1", search=SearchRange(0.8, 0.99)),
    Control("beta_2", "Beta 2", search=SearchRange(0.9, 0.9999)),
)
RHO = Control("rho", "Rho", search=SearchRange(0.8, 0.99))
EPSILON = Control("epsilon", "Epsilon", hint=help_for("epsilon"))
WEIGHT_DECAY = Control(
    "weight_decay",
    "Weight decay",
    hint=help_for("weight decay"),
    search=SearchRange(1e-5, 0.1, log=True),
)


class OptimizerKind(Kind):
    """One kind of optimizer; its fields are what a configuration sets."""

    kind: str = ""
    learning_rate: LearningRate = 0.01

    @abstractmethod
    def build(self, params: Sequence[Tensor], *, recordable: bool = False) -> TorchOptimizer:
        """Make it, its state zero.

        Parameters may be of any shape, float32; its state has the same shapes.

        Args:
            params: what it changes.
            recordable: whether its factors may be tensors, as an update that is recorded as a CUDA graph needs them.
        """

    def decayed(self, rate: float, n_updates: int) -> float:
        """Give what is left of a scheduled rate after some updates of this optimizer."""
        return rate

    @property
    def rate_decay(self) -> float:
        """What `decayed` divides the rate by, less one, an update."""
        return 0.0

    @property
    def has_velocity(self) -> bool:
        """Whether it keeps a velocity, which torch's own multiplies by the rate: a script has to undo that where the rate changes."""
        return False

    @abstractmethod
    def script_call(self) -> str:
        """Write the call that makes it in an exported script, of ``parameters``."""

    def script_definitions(self) -> str:
        """Write the class that the call needs, where torch has none."""
        return ""

    def script_kept_state(self, former: OptimizerKind) -> str:
        """Write what is added, behind a change, to the state of one of the same kind; indented by eight, each line after a break."""
        return ""

    def script_step_line(self, updates: str) -> str:
        """Write what is set of a parameter ``group`` before an update.

        Args:
            updates: the number of the update, from 1, as an expression.
        """
        return ""
