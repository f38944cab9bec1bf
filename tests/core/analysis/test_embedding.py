"""Embeddings: the same numbers again, components and neighbours as others compute them, and what cannot be embedded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from mnist_dash.core.analysis import embedding
from mnist_dash.core.analysis.embedding import (
    Embedding,
    EmbeddingParameters,
    Values,
    check_embedding,
    compute_embedding,
    embeddable_layers,
    nearest_neighbours,
    principal_components,
)
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.idx import read_images, read_labels
from mnist_dash.core.network.torch_network import build_sequential
from mnist_dash.errors import InvalidInput

CONFIG = RunConfig()
NOWHERE = Path("/nowhere")
SMALL = EmbeddingParameters(n_points=100, perplexity=20)


def weights_of(config: RunConfig) -> dict[str, Values]:
    """Give a network's weights as they are before training."""
    return {name: tensor.numpy() for name, tensor in build_sequential(config).state_dict().items()}


def embed(parameters: EmbeddingParameters, weights: dict[str, Values] | None = None) -> Embedding:
    """Embed images of MNIST."""
    return compute_embedding(parameters, CONFIG, weights, NOWHERE, report=lambda *_: None)


def images(n: int) -> Values:
    """Give the first test images, a row each."""
    return read_images("mnist", "test", NOWHERE)[:n].reshape(n, -1).astype(np.float32) / np.float32(
        255
    )


def test_same_seed_gives_the_same_numbers() -> None:
    """Two computations agree bit for bit, and another seed gives other points."""
    first, second, other = embed(SMALL), embed(SMALL), embed(SMALL.model_copy(update={"seed": 1}))
    assert np.array_equal(first.points, second.points)
    assert np.array_equal(first.neighbours, other.neighbours)
    assert not np.array_equal(first.points, other.points)


def test_neighbours_on_the_plane_are_of_one_class() -> None:
    """Digits stay together: the nearest point has the same label far more often than chance has it."""
    points = embed(EmbeddingParameters(n_points=300)).points
    labels = read_labels("mnist", "test", NOWHERE)[:300]
    assert (labels[nearest_neighbours(points, 1)[:, 0]] == labels).mean() > 0.7


@pytest.mark.parametrize("shape", [(300, 40), (40, 300)])
def test_components_are_those_of_scikit_learn(shape: tuple[int, int]) -> None:
    """Scores up to their sign, and shares of the variance, on either side of a square."""
    values = np.random.default_rng(0).standard_normal(shape, dtype=np.float32) * np.linspace(
        3, 0.1, shape[1], dtype=np.float32
    )
    reference = PCA(5, svd_solver="full").fit(values.astype(float))
    expected = reference.transform(values.astype(float))
    scores, shares = principal_components(values, 5)
    assert np.allclose(np.abs(scores), np.abs(expected), atol=1e-4)
    assert np.allclose(shares, reference.explained_variance_ratio_, rtol=1e-5)
    assert (scores[np.abs(scores).argmax(0), np.arange(5)] > 0).all()


def test_iterated_components_are_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where iteration takes the place of all eigenvectors, the variances agree to a part in a thousand."""
    monkeypatch.setattr(embedding, "EXACT_SIDE", 100)
    values = images(500)
    reference = PCA(20, svd_solver="full").fit(values)
    assert np.allclose(
        principal_components(values, 20)[1], reference.explained_variance_ratio_, rtol=1e-3
    )


def test_neighbours_are_those_of_scikit_learn() -> None:
    """The ten nearest other images, in their order."""
    pixels = images(600)
    expected = (
        NearestNeighbors(n_neighbors=11, algorithm="brute")
        .fit(pixels)
        .kneighbors(pixels, return_distance=False)[:, 1:]
    )
    assert (nearest_neighbours(pixels) == expected).mean() > 0.999


def test_layer_of_training_images_brings_their_predictions() -> None:
    """A layer's output is embedded, and what the network calls the images is kept."""
    last = embeddable_layers(CONFIG)[-1]
    found = embed(
        SMALL.model_copy(update={"layer": last.index, "part": "train", "method": "pca"}),
        weights_of(CONFIG),
    )
    assert found.points.shape == (100, 2)
    assert found.predicted.shape == (100,)
    assert found.n_dimensions == 10


def test_packing_keeps_everything() -> None:
    """What was written is what is read."""
    found = embed(SMALL.model_copy(update={"method": "pca"}))
    again = Embedding.unpack(found.pack())
    assert np.array_equal(found.points, again.points)
    assert (found.n_dimensions, again.shares.tolist()) == (
        again.n_dimensions,
        found.shares.tolist(),
    )


def test_progress_rises_to_the_end() -> None:
    """Every phase is named, and iterations are counted."""
    reports: list[tuple[str, float]] = []
    compute_embedding(
        SMALL, CONFIG, None, NOWHERE, report=lambda phrase, share: reports.append((phrase, share))
    )
    assert list(dict.fromkeys(phrase for phrase, _ in reports)) == [
        "Activations",
        "Neighbours and principal components",
        "t-SNE",
    ]
    shares = [share for _, share in reports]
    assert shares == sorted(shares)
    assert shares[-1] > 0.8
    assert len(shares) > 10


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"n_points": 10_001},
            r"10,001 images are too many .*30 to 10,000 of the test images of mnist",
        ),
        ({"n_points": 3}, "3 images are too few"),
        (
            {"n_points": 60, "perplexity": 30},
            "perplexity of 30 is too large .*a third of the points, here 20",
        ),
        ({"layer": 0}, r"Layer 0 cannot be embedded \(1 \(dense_1\)"),
        ({"seed": -1}, "Seed -1 is too small"),
    ],
)
def test_refuses_what_cannot_be_embedded(changes: dict[str, int], sentence: str) -> None:
    """More points than exist, a perplexity beyond a third of them, a layer that is none: the rule, the value, the remedy."""
    with pytest.raises(InvalidInput, match=sentence):
        check_embedding(EmbeddingParameters.model_validate(changes), CONFIG)


def test_layer_without_weights_is_a_sentence() -> None:
    """A run whose weights are gone can still have its pixels embedded, and says so."""
    with pytest.raises(InvalidInput, match=r"has left no weights.*Embed the pixels"):
        embed(SMALL.model_copy(update={"layer": 1}))


def test_undefined_activations_are_a_sentence() -> None:
    """A diverged network's activations are refused."""
    broken = {name: np.full_like(tensor, np.nan) for name, tensor in weights_of(CONFIG).items()}
    with pytest.raises(InvalidInput, match="infinite or undefined"):
        embed(SMALL.model_copy(update={"layer": 1}), broken)
