"""What is taken along of a run that was really trained: network, card and tables agree with what the store has."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import safetensors.torch

from mnist_dash.core.analysis.evaluation import accuracy
from mnist_dash.core.data.idx import read_images, read_labels
from mnist_dash.errors import ArtifactError
from mnist_dash.formatting import percent
from mnist_dash.runs.actions import run_actions
from mnist_dash.runs.store import artifacts, schema
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store, update
from mnist_dash.runs.transfer.model_bundle import model_bundle, run_onnx
from mnist_dash.runs.transfer.tables import (
    epochs_table,
    runs_table,
    steps_table,
    to_csv,
    to_parquet,
)
from tests.databases import settings_with_database
from tests.new_store import new_store
from tests.trained import train_into

NAME = "=1+1 <b>*x*</b> | \x07"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Run]]:
    """A store with one run, named by somebody who means harm."""
    opened = new_store(
        settings_with_database({"MNIST_DASH_HOME": str(tmp_path_factory.mktemp("home"))})
    )
    run = train_into(opened)
    with opened.writing() as connection:
        update(connection, run.id, name=NAME, notes="<img src=x>\n# not a heading")
        connection.execute(
            schema.run_tags.insert(), [{"run_id": run.id, "tag": tag} for tag in ("one", "two")]
        )
    yield opened, opened.run(run.id)
    opened.close()


def test_onnx_gives_the_stored_probabilities(trained: tuple[Store, Run]) -> None:
    """All 10,000 test images within 1e-4, and the run's test accuracy."""
    store, run = trained
    session = onnxruntime.InferenceSession(run_onnx(store, run.id))
    images = read_images("mnist", "test", store.settings.data_dir)
    (found,) = session.run(None, {"images": images[:, None]})
    stored = artifacts.read_probabilities(store, run.id, ArtifactKind.TEST_PROBABILITIES)
    assert np.abs(found - stored).max() < 1e-4
    assert (
        accuracy(read_labels("mnist", "test", store.settings.data_dir), found) == run.test_accuracy
    )
    assert session.get_modelmeta().custom_metadata_map["run"] == run.id


def test_bundle_loads_as_its_card_says(
    trained: tuple[Store, Run],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,  # noqa: ANN401
) -> None:
    """The code of the card runs as it stands; what people typed is text; the weights are the stored ones."""
    store, run = trained
    with zipfile.ZipFile(io.BytesIO(model_bundle(store, run.id))) as bundle:
        files = {name.rpartition("/")[2]: bundle.read(name) for name in bundle.namelist()}
    assert files["model.safetensors"] == artifacts.read(store, run.id, ArtifactKind.WEIGHTS)
    card = files["README.md"].decode()
    assert card.splitlines()[0] == r"# =1\+1 \<b\>\*x\*\</b\> \| ␇"
    assert r"> \# not a heading" in card
    assert re.findall(r"(?<!\\)<\w", card) == []
    assert f"| test accuracy | {percent(run.test_accuracy)} | 10,000 test images |" in card
    assert json.loads(files["config.json"])["config"] == run.config.model_dump(mode="json")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    code = card.split("```python\n")[1].split("```")[0].replace('open("config.json")', "CONFIG")
    with (tmp_path / "config.json").open() as config:
        names: dict[str, Any] = {"CONFIG": config}
        exec(code, names)  # noqa: S102 - what a reader of the card does
    assert names["probabilities"].shape == (1, 10)
    assert (
        names["network"].state_dict().keys()
        == safetensors.torch.load(files["model.safetensors"]).keys()
    )


def test_tables_keep_what_the_store_has(trained: tuple[Store, Run]) -> None:
    """CSV and Parquet read back to the same figures; a formula stays text in a spreadsheet, Parquet is as typed."""
    store, run = trained
    for table in (epochs_table(store, [run.id]), steps_table(store, [run.id])):
        assert list(table["run"].unique()) == [run.id]
        pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(to_parquet(table))), table)
        again = pd.read_csv(io.BytesIO(to_csv(table)), dtype={"run": str})
        pd.testing.assert_frame_equal(again, table, check_dtype=False)
    listed = runs_table(store, [run.id])
    row = pd.read_parquet(io.BytesIO(to_parquet(listed))).iloc[0]
    assert (row["run"], row["name"], row["tags"], row["test_accuracy"]) == (
        run.id,
        NAME,
        "one, two",
        run.test_accuracy,
    )
    assert (row["config.batch_size"], row["config.optimizer.kind"]) == (500, "adam")
    assert f"'{NAME}" in to_csv(listed).decode()


def test_run_without_weights_says_so(trained: tuple[Store, Run]) -> None:
    """A run that has not trained has no network to take along."""
    store, run = trained
    waiting = run_actions.submit(store, run.config)
    with pytest.raises(ArtifactError, match="it finished no epoch"):
        run_onnx(store, waiting)
    assert len(runs_table(store, [waiting, run.id])) == 2
    assert to_parquet(runs_table(store, [waiting]))
    assert len(epochs_table(store, [waiting])) == 0
