"""The Data page."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mnist_dash.core.data.archives import PACKAGED_ARCHIVES
from mnist_dash.core.data.idx import read_images, read_labels
from mnist_dash.runs.store.run_store import Store
from tests.ui.conftest import texts

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def test_counts_add_up_and_the_source_is_named(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """Classes by part as the archives have them, authors and licence."""
    app = open_page("data")
    counts = app.dataframe[0].value
    labels = read_labels("mnist", "train", store.settings.data_dir)
    assert counts["training"].iloc[:10].tolist() == np.bincount(labels[:50_000]).tolist()
    assert counts.loc["all"].tolist() == [50_000, 10_000, 10_000]
    assert "Yann LeCun" in texts(app)
    assert "CC BY-SA 3.0" in texts(app)
    assert not app.error


def test_one_image_by_its_index_in_the_address(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """Label, numbers and scalings are those of that image."""
    app = open_page("data", archive="test", index="4321", page="22")
    image = read_images("mnist", "test", store.settings.data_dir)[4321]
    label = read_labels("mnist", "test", store.settings.data_dir)[4321]
    assert f"Image 4,321 of the test archive, labelled **{label}**" in texts(app)
    assert "Images 4,200 to 4,399 of 10,000" in texts(app)
    assert f"{(image > 0).sum()} of 784 pixels are not background" in texts(app)
    scaled = app.dataframe[1].value.set_index("scaling")
    assert scaled.loc["unit", "mean"] == pytest.approx(image.mean() / 255)
    assert scaled.loc["unit", "maximum"] == pytest.approx(image.max() / 255)


@pytest.mark.parametrize(
    ("query", "sentences"),
    [
        (
            {"index": "60000", "page": "301", "archive": "proof", "dataset": "cifar", "draw": "x"},
            [
                "The data set in the address does not exist: dataset='cifar' (one of MNIST)",
                "The archive in the address does not exist: archive='proof' (one of training, test)",
                "The page of the training images in the address does not exist: page='301' (1 to 300)",
                "The index of the training image in the address does not exist: index='60000' (0 to 59,999)",
                "The seed in the address does not exist: draw='x' (0 to 9,999)",
            ],
        ),
        (
            {"archive": "test", "index": "-1"},
            ["The index of the test image in the address does not exist: index='-1' (0 to 9,999)"],
        ),
    ],
)
def test_address_that_names_nothing_is_a_sentence(
    open_page: Callable[..., AppTest], query: dict[str, str], sentences: list[str]
) -> None:
    """Rule, value and remedy; the page is whole below."""
    app = open_page("data", **query)
    assert [error.value for error in app.error] == [
        f"{said}. Choose another below." for said in sentences
    ]
    assert "Image 0 of the" in texts(app)


def test_other_archive_begins_at_its_first_image(open_page: Callable[..., AppTest]) -> None:
    """An index beyond the test archive does not outlive the change to it."""
    app = open_page("data", index="45000")
    assert "Image 45,000 of the training archive" in texts(app)
    app.segmented_control(key="archive").set_value("test").run()
    assert not app.exception
    assert "Image 0 of the test archive" in texts(app)


def test_strengths_of_the_augmentation_come_from_the_address(
    open_page: Callable[..., AppTest],
) -> None:
    """What is previewed is what is shared."""
    app = open_page("data", rotation="45.0", elastic="30.0")
    assert app.slider(key="rotation").value == 45
    assert not app.slider(key="elastic_sigma").disabled


def test_other_set_in_its_folder_can_be_chosen(
    open_page: Callable[..., AppTest], store: Store
) -> None:
    """It has names instead of digits; a damaged one is a sentence."""
    folder = store.settings.data_dir / "fashion_mnist"
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / f"{name}.gz").write_bytes((PACKAGED_ARCHIVES / f"{name}.gz").read_bytes())
    app = open_page("data", dataset="Fashion-MNIST")
    assert "labelled **sandal**" in texts(app)
    assert "Xiao" in texts(app)
    app.segmented_control(key="dataset").set_value("MNIST").run()
    assert "labelled **5**" in texts(app)


def test_damaged_set_is_a_sentence(open_page: Callable[..., AppTest], store: Store) -> None:
    """Files that do not fit together are named."""
    folder = store.settings.data_dir / "kmnist"
    folder.mkdir(parents=True)
    for name in FILES:
        shape = (4, 28, 28) if "images" in name else (3,)
        head = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
        (folder / f"{name}.gz").write_bytes(gzip.compress(head + bytes(int(np.prod(shape)))))
    app = open_page("data", dataset="KMNIST")
    assert "it has images of 4 x 28 x 28 and 3 labels" in texts(app)
