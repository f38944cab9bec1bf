"""The view of an embedding: asked for, on its way, drawn, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mnist_dash.core.analysis.embedding import EmbeddingParameters
from mnist_dash.runs.execution import analyses
from mnist_dash.runs.execution.analyses import AnalysisKind, AnalysisState
from mnist_dash.runs.execution.analyst import Analyst
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from tests.ui.conftest import texts

VIEW = {"view": "embedding", "emb_layer": "pixels", "emb_n": "300", "emb_method": "PCA"}
PARAMETERS = EmbeddingParameters(n_points=300, method="pca")


pytestmark = pytest.mark.usefixtures("no_analyst_is_left")


@pytest.fixture
def compute(store: Store) -> Callable[[], None]:
    """Do what an analyst would with the next analysis."""

    def computed() -> None:
        analyst = Analyst(store)
        claimed = analyst.claim()
        assert claimed is not None
        analyst.execute(claimed)

    return computed


@pytest.fixture
def embedded(
    store: Store,
    train: Callable[..., Run],
    compute: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Train a run and embed its pixels, without another process."""
    monkeypatch.setattr(analyses, "ensure_analyst", lambda _settings: None)
    run = train()
    analyses.request(store, run.id, AnalysisKind.EMBEDDING, PARAMETERS.model_dump())
    compute()
    return run


def test_button_asks_and_the_page_follows(
    open_page: Callable[..., AppTest], train: Callable[..., Run], store: Store
) -> None:
    """Nothing is computed until somebody presses Compute; then the row is there, and its progress."""
    run = train()
    app = open_page("run", run=run.id, **VIEW)
    assert "Takes about" in texts(app)
    assert analyses.find(store, run.id, AnalysisKind.EMBEDDING, PARAMETERS.model_dump()) is None
    app.button(key="emb_compute").click().run()
    found = analyses.find(store, run.id, AnalysisKind.EMBEDDING, PARAMETERS.model_dump())
    assert found is not None
    assert found.state.is_live
    assert app.get("progress")


def test_stored_picture_is_drawn_at_once(open_page: Callable[..., AppTest], embedded: Run) -> None:
    """The chart, what it does not say, and no button."""
    app = open_page("run", run=embedded.id, **VIEW)
    assert not [button for button in app.button if button.key == "emb_compute"]
    assert "How to read PCA" in texts(app)
    assert "Click a point" in texts(app)


def test_selected_image_shows_its_neighbours(
    open_page: Callable[..., AppTest], embedded: Run
) -> None:
    """The image of the address, which was called wrongly, and the one that no point stands for."""
    app = open_page("run", run=embedded.id, image="50", **VIEW)
    assert "image 50: true" in texts(app)
    assert "10 nearest neighbours by their pixels" in texts(app)
    assert "not among the first 300" in texts(
        open_page("run", run=embedded.id, image="5000", **VIEW)
    )


def test_selected_cell_is_counted(open_page: Callable[..., AppTest], embedded: Run) -> None:
    """A cell of the confusion matrix says how many of its images are among the points."""
    app = open_page("run", run=embedded.id, true="6", pred="7", **VIEW)
    assert "6 predicted as 7" in texts(app)
    assert "of them among these 300" in texts(app)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"emb_n": "20000"}, "20,000 images are too many"),
        ({"emb_method": "t-SNE", "emb_n": "60"}, "a third of the points"),
        ({"emb_layer": "dense_9"}, "emb_layer='dense_9'"),
        ({"true": "11"}, "The class in the address does not exist: true='11' (0 to 9)"),
    ],
)
def test_bad_address_is_a_sentence(
    open_page: Callable[..., AppTest], embedded: Run, query: dict[str, str], sentence: str
) -> None:
    """More points than exist, a perplexity beyond a third of them, no such layer, no such class."""
    assert sentence in texts(open_page("run", run=embedded.id, **(VIEW | query)))


def test_run_without_weights_offers_the_pixels(
    open_page: Callable[..., AppTest], train: Callable[..., Run]
) -> None:
    """A layer of a run that left no weights is refused with what to do instead."""
    run = train(state=RunState.STOPPED, epochs=1)
    app = open_page("run", run=run.id, view="embedding")
    assert "This run has no weights" in texts(app)
    app.button(key="emb_pixels").click().run()
    assert app.button(key="emb_compute").label == "Compute"


def test_damaged_embedding_is_computed_again(
    open_page: Callable[..., AppTest], embedded: Run, store: Store, compute: Callable[[], None]
) -> None:
    """A flipped byte is named, and the button brings the picture back."""
    (path,) = store.settings.artifact_dir.rglob("embedding-*")
    path.write_bytes(np.bitwise_xor(np.frombuffer(path.read_bytes(), np.uint8), 1).tobytes())
    app = open_page("run", run=embedded.id, **VIEW)
    assert "SHA-256" in texts(app)
    app.button(key="emb_again").click().run()
    compute()
    assert "SHA-256" not in texts(open_page("run", run=embedded.id, **VIEW))


def test_failure_is_shown_with_a_way_on(
    open_page: Callable[..., AppTest], embedded: Run, store: Store
) -> None:
    """The analyst's reason stands on the page, and the analysis can be asked for again."""
    table = schema.analyses
    with store.writing() as connection:
        connection.execute(
            table.update().values(state=AnalysisState.FAILED, reason="It was given up.")
        )
    app = open_page("run", run=embedded.id, **VIEW)
    assert "given up" in texts(app)
    assert app.button(key="emb_compute").label == "Try again"
