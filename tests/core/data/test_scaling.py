"""Scalings as two arrays: those that training fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import (
    RandomSplit,
    RunConfig,
    Split,
    StratifiedSplit,
    TailSplit,
    TestAsValidation,
)
from mnist_dash.core.data.archives import PACKAGED_ARCHIVES
from mnist_dash.core.data.dataset import load_raw, split_indices
from mnist_dash.core.data.idx import read_images
from mnist_dash.core.data.scaling import scaling_values
from mnist_dash.core.scalings import SCALINGS, Scaling
from mnist_dash.errors import DataError

IMAGES = read_images("mnist", "test", PACKAGED_ARCHIVES)[:50]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the package may copy its archives."""
    return tmp_path_factory.mktemp("data")


@pytest.mark.parametrize("scaling", list(SCALINGS))
@pytest.mark.parametrize(
    "split",
    [TailSplit(), RandomSplit(fraction=0.3, seed=7), StratifiedSplit(seed=3), TestAsValidation()],
)
def test_scalings_are_those_of_training(data_dir: Path, scaling: Scaling, split: Split) -> None:
    """Fitted to the training part and equal to the scaling of the training engine."""
    config = RunConfig(scaling=scaling, split=split)
    raw = load_raw("mnist", data_dir)
    training = raw.train_images.flatten(1)[split_indices(config, raw.train_labels).training]
    expected = SCALINGS[scaling]().fit(training)(torch.from_numpy(IMAGES).flatten(1)).numpy()
    subtracted, factor = scaling_values(config, data_dir)
    np.testing.assert_allclose(
        ((IMAGES - subtracted) * factor).reshape(50, 784), expected, rtol=1e-6, atol=1e-6
    )


def test_what_needs_no_data_reads_none(tmp_path: Path) -> None:
    """A network of another set can be asked without it unless its scaling is fitted to it; features are not scaled at all."""
    config = RunConfig(dataset="kmnist")
    assert [float(values) for values in scaling_values(config, tmp_path)] == pytest.approx(
        [0, 1 / 255]
    )
    assert [
        float(values) for values in scaling_values(PRESETS["mlp_300_30_hog"].config, tmp_path)
    ] == [0, 1]
    with pytest.raises(DataError, match="kmnist"):
        scaling_values(config.model_copy(update={"scaling": "standard"}), tmp_path)
