"""Features kept beside the data: a damaged file costs the time to compute them again, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_dash.core.data.archives import PACKAGED_ARCHIVES
from mnist_dash.core.data.features import FOLDER, hog_features
from mnist_dash.core.data.hog import hog
from mnist_dash.core.data.idx import read_images

IMAGES = read_images("mnist", "test", PACKAGED_ARCHIVES)[:3]
EXPECTED = hog(IMAGES)


@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(0, 200) | st.integers(0, EXPECTED.nbytes), mask=st.integers(1, 255))
def test_a_flipped_byte_costs_only_time(tmp_path: Path, place: int, mask: int) -> None:
    """In the head or in the values: the features are those of the images."""
    hog_features(IMAGES, tmp_path)
    (path,) = (tmp_path / FOLDER).glob("hog-*.safetensors")
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= mask
    path.write_bytes(damaged)
    found = hog_features(IMAGES, tmp_path)
    assert found.dtype == np.float32
    assert np.array_equal(found, EXPECTED)
