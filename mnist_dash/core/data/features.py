"""Features of a whole data set, computed once and kept beside it under the hash of what they were computed from."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from mnist_dash.core.data.hog import HOG_VERSION, N_FEATURES, hog

FOLDER = "features"


def hog_features(images: npt.NDArray[np.uint8], data_dir: Path) -> npt.NDArray[np.float32]:
    """Give the HOG features of images, from the cache where they are in it.

    The file's name is the hash of the images and the method; the hash of its content is checked on every read, and a damaged or unwritable
    cache only costs the time to compute the features again.

    Args:
        images: ``(N, 28, 28)``.
        data_dir: the folder of data sets.

    Returns:
        ``(N, 392)``.
    """
    key = hashlib.sha256(HOG_VERSION.encode() + np.ascontiguousarray(images).tobytes()).hexdigest()[
        :16
    ]
    path = data_dir / FOLDER / f"hog-{key}.safetensors"
    cached = _read(path)
    if cached is not None and cached.shape == (len(images), N_FEATURES):
        return cached
    features = hog(images)
    _write(path, features)
    return features


def _read(path: Path) -> npt.NDArray[np.float32] | None:
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            features: npt.NDArray[np.float32] = file.get_tensor("features")
            is_whole = features.dtype == np.float32 and (file.metadata() or {}).get(
                "sha256"
            ) == _digest(features)
            return features if is_whole else None
    except (OSError, safetensors.SafetensorError, ValueError, TypeError, AttributeError):
        return None


def _write(path: Path, features: npt.NDArray[np.float32]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(
                safetensors.numpy.save(
                    {"features": features}, metadata={"sha256": _digest(features)}
                )
            )
        Path(file.name).replace(path)
    except OSError:
        return  # a full or read-only disk


def _digest(features: npt.NDArray[np.float32]) -> str:
    return hashlib.sha256(features.tobytes()).hexdigest()
