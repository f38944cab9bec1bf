"""A trained network that pages ask: our own ONNX export of it, run by ONNX Runtime with the output of every layer. No torch.

It runs in one thread, because the cores belong to whoever trains, and gives the same values every time. ONNX Runtime itself is imported
when the first network is asked, not with this module.
"""

from __future__ import annotations

import hashlib
import importlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.export.onnx_model import INPUT, Weights, layered_model

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Images = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float32]
BATCH = 100
"""Images that go through the network together: activations stay in the processor's caches."""
MAX_SESSIONS = 4
"""Networks that are kept ready."""


class Predictor:
    """A trained network; several threads may ask it at once.

    Args:
        config: names the layers, the features and the scaling.
        weights: as exported, named and laid out as the plain torch network has them.
        scaling: from `mnist_dash.core.data.scaling.scaling_values`.

    Raises:
        ValueError: the weights are not those of this network.
    """

    def __init__(self, config: RunConfig, weights: Weights, scaling: tuple[Values, Values]) -> None:
        model = layered_model(config, weights, scaling=scaling)
        self._session = _sessions.get(model.content)
        self._outputs = model.outputs
        self._shapes = [planned.output_shape for planned in config.plan]

    def activations(self, images: Images) -> list[Values]:
        """Compute the output of every layer, its activation included; dropout is off, batch normalisation uses its running statistics.

        All of them are kept: ask for a few hundred images at most, and use `layer_output` for more.

        Args:
            images: ``(B, 28, 28)``, grey values 0 to 255, 0 is background.

        Returns:
            One array a layer, channels-last: ``(B, height, width, channels)`` or ``(B, features)``; the last holds the probabilities,
            ``(B, 10)``. Behind a flatten of several channels the features are in the plain network's order: channels outside, columns
            inside.
        """
        return self._run(images, range(len(self._outputs)))

    def layer_output(self, images: Images, *, layer: int) -> Values:
        """Compute the output of one layer alone, for any number of images ``(B, 28, 28)``; see `activations`.

        Args:
            images: grey values 0 to 255.
            layer: the layer's index; -1 is the last.

        Raises:
            IndexError: there is no such layer.
        """
        return self._run(images, [range(len(self._outputs))[layer]])[0]

    def probabilities(self, images: Images) -> Values:
        """Compute the probabilities of the classes, ``(B, 10)``, for any number of images ``(B, 28, 28)``."""
        return self.layer_output(images, layer=-1)

    def _run(self, images: Images, layers: range | list[int]) -> list[Values]:
        """Compute the outputs of some layers, in their order.

        Images ``(B, 28, 28)`` uint8 -> one float32 array ``(B, ...)`` a layer, channels-last.
        """
        names = list(dict.fromkeys(self._outputs[layer] for layer in layers))
        found = [np.empty((len(images), *self._shapes[layer]), np.float32) for layer in layers]
        for rows, batch in _batches(images):
            computed = dict(zip(names, self._ask(names, batch), strict=True))
            for values, layer in zip(found, layers, strict=True):
                values[rows] = _channels_last(computed[self._outputs[layer]])
        return found

    def _ask(self, names: list[str], images: Images) -> list[Values]:
        from onnxruntime import RunOptions

        options = RunOptions()
        options.only_execute_path_to_fetches = True  # nothing behind the layer that was asked for
        outputs: list[Values] = self._session.run(names, {INPUT: images[:, None]}, options)
        return outputs


def load_ahead() -> None:
    """Import ONNX Runtime: a fifth of a second that nobody has to wait for later."""
    importlib.import_module("onnxruntime")


def _batches(images: Images) -> Iterator[tuple[slice, Images]]:
    for start in range(0, len(images), BATCH):
        rows = slice(start, start + BATCH)
        yield rows, images[rows]


def _channels_last(values: Values) -> Values:
    return values.transpose(0, 2, 3, 1) if values.ndim == 4 else values


class _Sessions:
    """The networks that were asked last, by the hash of their models."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, InferenceSession] = OrderedDict()

    def get(self, content: bytes) -> InferenceSession:
        key = hashlib.sha256(content).digest()
        with self._lock:  # two pages that open the same network make one session
            session = self._kept.pop(key, None) or _new_session(content)
            self._kept[key] = session
            while len(self._kept) > MAX_SESSIONS:
                self._kept.popitem(last=False)
        return session


_sessions = _Sessions()


def _new_session(content: bytes) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Half the time to begin, no slower after.
    options.add_session_config_entry("session.disable_prepacking", "1")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
