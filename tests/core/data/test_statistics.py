"""Statistics of images, against numpy by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mnist_dash.core.data.idx import read_images, read_labels
from mnist_dash.core.data.similarity import hang, nearest, nearest_rows
from mnist_dash.core.data.statistics import class_images, count_classes, count_grey_values


def test_means_and_deviations_are_numpys(tmp_path: Path) -> None:
    """Of each class, to rounding; a class without images has zeros."""
    images, labels = read_images("mnist", "test", tmp_path), read_labels("mnist", "test", tmp_path)
    keep = labels != 7
    images, labels = images[keep], labels[keep]
    found = class_images(images, labels)
    for digit in (0, 4, 9):
        chosen = images[labels == digit].astype(float)
        np.testing.assert_allclose(found.means[digit], chosen.mean(0), atol=1e-9)
        np.testing.assert_allclose(found.deviations[digit], chosen.std(0), atol=1e-6)
    assert not found.means[7].any()
    assert not found.deviations[7].any()
    assert found.counts.tolist() == count_classes(labels).tolist()
    assert found.counts.sum() == len(labels)


def test_every_pixel_is_counted_once(tmp_path: Path) -> None:
    """Grey values of all pixels, across the blocks."""
    images = read_images("mnist", "test", tmp_path)[:4500]
    counts = count_grey_values(images)
    assert counts.sum() == images.size
    for value in (0, 1, 128, 255):
        assert counts[value] == (images == value).sum()


def test_nearest_are_those_of_the_full_table(tmp_path: Path) -> None:
    """By both distances, nearest first, the image itself at a distance of 0."""
    images = read_images("mnist", "test", tmp_path)[:1300]
    gallery = hang(images)
    flat = images.reshape(len(images), -1).astype(float)
    for query in (3, 1299):
        angles = 1 - flat @ flat[query] / (
            np.linalg.norm(flat, axis=1) * np.linalg.norm(flat[query])
        )
        lengths = np.linalg.norm(flat - flat[query], axis=1) / 255
        for distance, table in (("cosine", angles), ("euclidean", lengths)):
            indices, distances = nearest(gallery, images[query], n=10, distance=distance)  # type: ignore[arg-type]
            assert indices.tolist() == np.argsort(table, kind="stable")[:10].tolist()
            np.testing.assert_allclose(distances[1:], table[indices[1:]], rtol=1e-3)
            assert distances[0] < 0.01


def test_nearest_rows_are_in_order() -> None:
    """By Euclidean distance; of equal ones the first."""
    values = np.array([[5, 0], [1, 0], [0, 2], [1, 0]], np.float32)
    assert nearest_rows(values, np.zeros(2, np.float32), n=3).tolist() == [1, 3, 2]
