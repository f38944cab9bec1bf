"""Images on a plane by what a layer makes of them: activations -> principal components -> t-SNE.

t-SNE (van der Maaten and Hinton, 2008; van der Maaten, 2014) keeps neighbours together and lets distances go. It starts from the first two
principal components (Kobak and Berens, 2019) with a little noise from the seed, and runs on one thread, so that it gives the same numbers
again and leaves the other cores to whoever trains.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from mnist_dash.core.analysis.predictor import Predictor
from mnist_dash.core.config.run_config import DATASET_SIZES, RunConfig
from mnist_dash.core.data.idx import PartName, read_images
from mnist_dash.core.data.scaling import scaling_values
from mnist_dash.core.kinds.spec import Spec
from mnist_dash.core.layers import LayerPlan
from mnist_dash.errors import InvalidInput

Values = npt.NDArray[np.float32]
Method = Literal["tsne", "pca"]
Report = Callable[[str, float], None]
"""Takes a phrase and the share of the expected time that is over."""

N_COMPONENTS = 20
N_NEIGHBOURS = 10
MIN_POINTS, MAX_POINTS = 30, 10_000
MIN_PERPLEXITY, MAX_PERPLEXITY = 2.0, 200.0
MAX_VALUES = 2**28
"""Activations that are held at once, 1 GiB."""
EXACT_SIDE = 2048
"""The smaller side of a matrix up to which its principal components are computed from all eigenvectors."""
MAX_PRODUCTS = 10**11
"""Multiplications up to which neighbours are looked for in the layer's own space, not among the principal components."""
_CHUNK = 500
_NOISE = 0.1
"""Deviation of the noise of the start, in deviations of the first principal component."""
_ITERATIONS, _EARLY_ITERATIONS = 750, 250
_SETTLED = 5e-4
"""Norm of the gradient at which early exaggeration has settled; what follows stays above it until its end."""
_FINE_POINTS = 2000
"""Points up to which the forces between far points are computed as finely as is usual."""
_SECONDS_A_POINT, _FLOPS_A_SECOND, _PRODUCTS_A_SECOND = 2.8e-3, 4e9, 2e10
"""Measured on one thread of a slow server core, for the share of the time that a phase takes."""


class EmbeddingParameters(Spec):
    """What decides an embedding of a run, besides its weights; `check_embedding` knows the bounds."""

    method: Method = "tsne"
    layer: int | None = None
    """Index of the layer whose output is embedded; None for the pixels themselves."""
    part: PartName = "test"
    n_points: int = 1000
    """The first so many images."""
    perplexity: float = 30.0
    seed: int = 0

    @property
    def canonical(self) -> EmbeddingParameters:
        """The same embedding with what its method does not use set to its default."""
        unused = {
            name: EmbeddingParameters.model_fields[name].default for name in ("perplexity", "seed")
        }
        return self.model_copy(update=unused) if self.method == "pca" else self


@dataclass(frozen=True)
class Embedding:
    """Points on a plane, one an image, in the order of the images."""

    points: Values
    """``(N, 2)``."""
    neighbours: npt.NDArray[np.int32]
    """``(N, 10)`` indices of the nearest other images, nearest first, by Euclidean distance in the space that was embedded."""
    predicted: npt.NDArray[np.uint8]
    """``(N,)`` predicted classes of training images; empty for test images, whose probabilities the run keeps, and without weights."""
    shares: npt.NDArray[np.float64]
    """``(20,)`` or fewer: shares of the variance that the principal components have."""
    n_dimensions: int
    """Of the space in which neighbours were looked for."""

    def pack(self) -> bytes:
        """Write it as safetensors."""
        arrays: dict[str, npt.NDArray[np.generic]] = {"n_dimensions": np.array([self.n_dimensions])}
        arrays |= {
            "points": self.points,
            "neighbours": self.neighbours,
            "predicted": self.predicted,
            "shares": self.shares,
        }
        return safetensors.numpy.save(
            {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        )

    @classmethod
    def unpack(cls, content: bytes) -> Embedding:
        """Read what `pack` wrote."""
        arrays = safetensors.numpy.load(content)
        n_dimensions = int(arrays.pop("n_dimensions")[0])
        return cls(**arrays, n_dimensions=n_dimensions)


def embeddable_layers(config: RunConfig) -> tuple[LayerPlan, ...]:
    """List the layers whose output is more than their input in another order."""
    return tuple(
        planned
        for planned, layer in zip(config.plan, config.layers, strict=True)
        if layer.kind not in ("flatten", "dropout")
    )


def check_embedding(parameters: EmbeddingParameters, config: RunConfig) -> None:
    """Check what is asked against the run that it is asked of.

    Raises:
        InvalidInput: there are not as many images or no such layer, the perplexity is beyond a third of the points, or it is too large.
    """
    n_images = min(MAX_POINTS, DATASET_SIZES[config.dataset][parameters.part == "test"])
    if not MIN_POINTS <= parameters.n_points <= n_images:
        raise InvalidInput(
            f"{parameters.n_points:,} images are too {'few' if parameters.n_points < MIN_POINTS else 'many'} for an embedding "
            f"({MIN_POINTS} to {n_images:,} of the {parameters.part} images of {config.dataset})."
        )
    layers = {planned.index: planned for planned in embeddable_layers(config)}
    if parameters.layer is not None and parameters.layer not in layers:
        known = ", ".join(f"{index} ({planned.name})" for index, planned in layers.items())
        raise InvalidInput(
            f"Layer {parameters.layer} cannot be embedded ({known}). Choose one of them."
        )
    highest = min(MAX_PERPLEXITY, parameters.n_points / 3)
    if parameters.method == "tsne" and not MIN_PERPLEXITY <= parameters.perplexity <= highest:
        raise InvalidInput(
            f"A perplexity of {parameters.perplexity:g} is too {'small' if parameters.perplexity < MIN_PERPLEXITY else 'large'} "
            f"({MIN_PERPLEXITY:g} to a third of the points, here {highest:g}). Change it, or take more points."
        )
    if not 0 <= parameters.seed < 2**32:
        raise InvalidInput(
            f"Seed {parameters.seed} is too {'small' if parameters.seed < 0 else 'large'} (0 to {2**32 - 1:,})."
        )
    n_values = parameters.n_points * _width(parameters, config)
    if n_values > MAX_VALUES:
        raise InvalidInput(
            f"{n_values:,} activations are too many for an embedding (at most {MAX_VALUES:,}): {parameters.n_points:,} images of "
            f"{_width(parameters, config):,} each. Take fewer images, or a later layer."
        )


def estimate_seconds(parameters: EmbeddingParameters, config: RunConfig) -> float:
    """Estimate what an embedding takes on one slow core, in seconds."""
    return sum(seconds for _, seconds in _phases(parameters, config))


def compute_embedding(
    parameters: EmbeddingParameters,
    config: RunConfig,
    weights: Mapping[str, Values] | None,
    data_dir: Path,
    *,
    report: Report,
) -> Embedding:
    """Compute an embedding; the same arguments give the same numbers on the same machine.

    Weights are float32 of any shape, as the plain torch network has them; the result's arrays begin with ``(N, ...)``, N images.

    Args:
        parameters: checked by `check_embedding`.
        config: of the run.
        weights: as the run left them; may be None where pixels are embedded.
        data_dir: the folder of data sets.
        report: called as it goes on; what it raises ends the computation.

    Raises:
        InvalidInput: the activations are not finite.
        DataError: the images are missing or damaged.
    """
    phases = _Phases(_phases(parameters, config), report)
    images = read_images(config.dataset, parameters.part, data_dir)[: parameters.n_points]
    outputs = _Outputs(
        config,
        None if weights is None else Predictor(config, weights, scaling_values(config, data_dir)),
    )
    values, predicted = _features(parameters, outputs, images, phases.enter())
    if not np.isfinite(values).all():
        raise InvalidInput(
            "Some activations of this layer are infinite or undefined. Choose an earlier layer, or a run that has not diverged."
        )
    phases.enter()(0.0)
    in_layer = len(values) ** 2 * values.shape[1] <= MAX_PRODUCTS
    neighbours = nearest_neighbours(values) if in_layer else None
    n_dimensions = values.shape[1]
    scores, shares = principal_components(values, N_COMPONENTS)
    if neighbours is None:
        neighbours, n_dimensions = nearest_neighbours(scores), scores.shape[1]
    points = (
        scores[:, :2] if parameters.method == "pca" else _tsne(scores, parameters, phases.enter())
    )
    if points.shape[1] == 1:
        points = np.pad(points, ((0, 0), (0, 1)))
    return Embedding(
        np.ascontiguousarray(points, np.float32), neighbours, predicted, shares, n_dimensions
    )


def load_ahead() -> None:
    """Import what t-SNE needs: a second that nobody has to wait for later."""
    import sklearn.manifold  # noqa: F401 - this import is the point


def principal_components(
    values: Values, n_components: int
) -> tuple[Values, npt.NDArray[np.float64]]:
    """Project onto the directions of the largest variance, exactly where one side of the matrix has up to 2,048 entries.

    Larger ones by subspace iteration (Halko, Martinsson and Tropp, 2011) until the variances stand still to a part in ten thousand.
    The sign of each component makes its largest score positive.

    Args:
        values: ``(N, d)``; centred in place.
        n_components: how many; fewer where the matrix has not as many.

    Returns:
        The scores, ``(N, k)``, and the share of the variance that each has, ``(k,)``.
    """
    values -= values.mean(0, dtype=np.float64).astype(np.float32)
    n, d = values.shape
    k = min(n_components, n - 1, d)
    if d <= min(n, EXACT_SIDE):
        _, vectors = np.linalg.eigh((values.T @ values).astype(np.float64))
        scores = values @ vectors[:, : -k - 1 : -1].astype(np.float32)
    elif n <= EXACT_SIDE:
        squares, vectors = np.linalg.eigh((values @ values.T).astype(np.float64))
        scores = (vectors * np.sqrt(np.maximum(squares, 0)))[:, : -k - 1 : -1].astype(np.float32)
    else:
        scores = _iterate(values, k)
    scores *= np.sign(scores[np.abs(scores).argmax(0), np.arange(k)] + np.float32(1e-30))
    total = float(np.einsum("ij,ij->", values, values, dtype=np.float64)) or 1.0
    return scores, np.square(scores, dtype=np.float64).sum(0) / total


def nearest_neighbours(values: Values, k: int = N_NEIGHBOURS) -> npt.NDArray[np.int32]:
    """Find each row's `k` nearest other rows by Euclidean distance, nearest first: ``(N, d)`` -> ``(N, k)``."""
    norms = np.einsum("ij,ij->i", values, values)
    found = np.empty((len(values), k), np.int32)
    for start in range(0, len(values), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(values)))
        distances = norms - 2 * (values[rows] @ values.T)
        distances[np.arange(len(rows)), rows] = np.inf
        nearest = np.argpartition(distances, k, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(distances, nearest, 1), axis=1, kind="stable")
        found[rows] = np.take_along_axis(nearest, order, 1)
    return found


def _iterate(values: Values, k: int) -> Values:
    """Find the scores of the first `k` components of a centred matrix that is large both ways.

    ``(N, d)`` float32 -> ``(N, k)``.
    """
    basis = np.random.default_rng(0).standard_normal((values.shape[1], 2 * k), dtype=np.float32)
    before = np.zeros(k)
    for _ in range(50):
        basis, _ = np.linalg.qr(values.T @ (values @ basis))
        left, singular, _ = np.linalg.svd(values @ basis, full_matrices=False)
        variances = singular[:k].astype(np.float64) ** 2
        if np.abs(variances - before).max() <= 1e-4 * variances[-1]:
            break
        before = variances
    scores: Values = left[:, :k] * singular[:k]
    return scores


@dataclass(frozen=True)
class _Outputs:
    """What a network makes of images, as far as it is known."""

    config: RunConfig
    predictor: Predictor | None

    def of(self, layer: int | None, images: npt.NDArray[np.uint8]) -> Values:
        """Give a layer's output, or the pixels, one row an image.

        ``(B, 28, 28)`` uint8 -> ``(B, d)`` float32.
        """
        if layer is None:
            return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
        if self.predictor is None:
            raise InvalidInput(
                "The run has left no weights to compute a layer's output with. Embed the pixels, or train the run again."
            )
        return self.predictor.layer_output(images, layer=layer).reshape(len(images), -1)


def _features(
    parameters: EmbeddingParameters,
    outputs: _Outputs,
    images: npt.NDArray[np.uint8],
    report: Callable[[float], None],
) -> tuple[Values, npt.NDArray[np.uint8]]:
    """Give what is to be embedded, ``(N, d)``, and the classes predicted for training images."""
    wants_classes = parameters.part == "train" and outputs.predictor is not None
    values = np.empty((len(images), _width(parameters, outputs.config)), np.float32)
    predicted = np.empty(len(images) if wants_classes else 0, np.uint8)
    for chunk in _chunks(len(images)):
        report(chunk.start / len(images))
        values[chunk] = outputs.of(parameters.layer, images[chunk])
        if wants_classes:
            predicted[chunk] = outputs.of(-1, images[chunk]).argmax(1)
    return values, predicted


def _tsne(
    scores: Values, parameters: EmbeddingParameters, report: Callable[[float], None]
) -> Values:
    from sklearn.manifold import TSNE

    report(0.0)
    deviation = max(float(scores[:, 0].std()), 1e-12)
    noise = np.random.default_rng(parameters.seed).standard_normal(
        (len(scores), 2), dtype=np.float32
    )
    plane = np.pad(scores, ((0, 0), (0, max(0, 2 - scores.shape[1]))))[:, :2] / np.float32(
        deviation
    )
    model = TSNE(
        2,
        perplexity=parameters.perplexity,
        init=np.float32(1e-4) * (plane + np.float32(_NOISE) * noise),
        random_state=parameters.seed,
        max_iter=_ITERATIONS,
        min_grad_norm=_SETTLED,
        angle=0.5 if len(scores) <= _FINE_POINTS else 0.8,
        n_jobs=1,
        verbose=2,
    )
    with contextlib.redirect_stdout(_Iterations(report)):
        points: Values = model.fit_transform(scores)
    return points


class _Iterations(io.TextIOBase):
    """Reads from what scikit-learn prints how far it has come: it tells nobody otherwise."""

    def __init__(self, report: Callable[[float], None]) -> None:
        self._report = report

    def write(self, text: str) -> int:
        found = re.search(r"Iteration (\d+)", text)
        if found:
            iteration = int(found[1])
            # Each takes half as long again as a later one.
            early = min(iteration, _EARLY_ITERATIONS)
            self._report((iteration + early / 2) / (_ITERATIONS + _EARLY_ITERATIONS / 2))
        return len(text)


class _Phases:
    """Turns the share of a phase into the share of the whole."""

    def __init__(self, phases: list[tuple[str, float]], report: Report) -> None:
        self._phases = iter(phases)
        self._total = sum(seconds for _, seconds in phases)
        self._report = report
        self._before = 0.0

    def enter(self) -> Callable[[float], None]:
        phrase, seconds = next(self._phases)
        before = self._before
        self._before += seconds
        return lambda share: self._report(
            phrase, min(1.0, (before + share * seconds) / self._total)
        )


def _phases(parameters: EmbeddingParameters, config: RunConfig) -> list[tuple[str, float]]:
    """List the phases and the seconds that each should take."""
    n, width = parameters.n_points, _width(parameters, config)
    flops = [planned.flops for planned in config.plan]
    used = 0 if parameters.layer is None else sum(flops[: parameters.layer + 1])
    used += sum(flops) if parameters.part == "train" else 0
    products = (
        min(n**2 * width, MAX_PRODUCTS)
        + n * width * min(n, width, EXACT_SIDE)
        + 20 * min(n, width, EXACT_SIDE) ** 3
    )
    phases = [
        ("Activations", 0.1 + n * used / _FLOPS_A_SECOND),
        ("Neighbours and principal components", 0.1 + products / _PRODUCTS_A_SECOND),
    ]
    return (
        phases if parameters.method == "pca" else [*phases, ("t-SNE", 0.5 + _SECONDS_A_POINT * n)]
    )


def _width(parameters: EmbeddingParameters, config: RunConfig) -> int:
    return (
        28 * 28
        if parameters.layer is None
        else int(np.prod(config.plan[parameters.layer].output_shape))
    )


def _chunks(n: int) -> Iterator[slice]:
    return (slice(start, min(start + _CHUNK, n)) for start in range(0, n, _CHUNK))
