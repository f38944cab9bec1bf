"""What can be taken along of a run and of a study, each made when its button is pressed; and taking runs in."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.export.notebook import notebook
from mnist_dash.core.export.script import training_script
from mnist_dash.errors import MnistDashError
from mnist_dash.reports.run_report import comparison_html, run_html, title
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.transfer.archive_export import archive_of
from mnist_dash.runs.transfer.archive_import import import_runs
from mnist_dash.runs.transfer.model_bundle import model_bundle, run_onnx
from mnist_dash.runs.transfer.tables import epochs_table, steps_table, to_csv, to_parquet
from mnist_dash.search.studies.records import Study
from mnist_dash.ui.app.navigation import run_link
from mnist_dash.ui.app.resources import store

_UPLOAD_KEY = "import_file"
_AS_NEW_KEY = "import_as_new"
_DONE_KEY = "import_done"
_BYTES = "application/octet-stream"


@dataclass(frozen=True)
class _Download:
    """One file that can be had."""

    label: str
    make: Callable[[], bytes | str]
    ending: str
    """Of its name, which begins with the run's or the study's id."""
    mime: str
    help: str
    why_not: str = ""
    """Why it cannot be had; empty where it can."""


def run_downloads(run: Run) -> None:
    """Draw what can be taken along of a run."""
    opened, run_id = store(), run.id
    no_end = "" if run.state.is_terminal else "This run has not ended"
    page = _Download("Web page", lambda: run_html(opened, run_id), "html", "text/html", "One file of about 5 MB, charts included")
    whole = _Download("Archive", lambda: archive_of(opened, [run_id]), "run.zip", "application/zip", "Every file, with its hash", no_end)
    rows = {
        "To look at, without a network": [page],
        "The network": _networks(opened, run),
        "To train it again, without MNIST Dash": _programs(run),
        "The history": _histories(opened, run),
        "The whole run, for another MNIST Dash": [whole],
    }
    for heading, downloads in rows.items():
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(heading, width=260)
            for download in downloads:
                _button(download, run_id, key="run")


def _networks(opened: Store, run: Run) -> list[_Download]:
    missing = "" if artifacts.has(opened, run.id, ArtifactKind.WEIGHTS) else "This run has left no weights"
    return [
        _Download(
            "Weights",
            lambda: artifacts.read(opened, run.id, ArtifactKind.WEIGHTS),
            "safetensors",
            _BYTES,
            "safetensors, for a plain torch.nn.Sequential",
            missing,
        ),
        _Download(
            "Model with card", lambda: model_bundle(opened, run.id), "model.zip", "application/zip", "safetensors and README", missing
        ),
        _Download("ONNX", lambda: run_onnx(opened, run.id), "onnx", _BYTES, "From grey values to probabilities", missing),
    ]


def _programs(run: Run) -> list[_Download]:
    config = run.config
    return [
        _Download(
            "Training script",
            lambda: training_script(config, precision=run.precision),
            "train.py",
            "text/x-python",
            "Python, needs torch and torchvision alone",
        ),
        _Download(
            "Notebook",
            lambda: notebook(config, title=title(run), precision=run.precision),
            "train.ipynb",
            "application/x-ipynb+json",
            "The same for Jupyter",
        ),
        _Download("Configuration", lambda: config.model_dump_json(indent=2), "json", "application/json", "For `train --config`"),
    ]


def _histories(opened: Store, run: Run) -> list[_Download]:
    missing = "" if run.epoch else "This run has finished no epoch"
    ids = [run.id]
    return [
        _Download("History by epoch", lambda: to_csv(epochs_table(opened, ids)), "epochs.csv", "text/csv", "CSV", missing),
        _Download("History by step", lambda: to_csv(steps_table(opened, ids)), "steps.csv", "text/csv", "CSV", missing),
        _Download("Epochs, Parquet", lambda: to_parquet(epochs_table(opened, ids)), "epochs.parquet", _BYTES, "Types kept", missing),
        _Download("Steps, Parquet", lambda: to_parquet(steps_table(opened, ids)), "steps.parquet", _BYTES, "Types kept", missing),
    ]


def study_downloads(study: Study) -> None:
    """Draw what can be taken along of a study, behind one button."""
    opened = store()
    with st.popover("Take it along", icon=":material/download:"):
        for download in (
            _Download("Web page", lambda: _study_page(opened, study), "html", "text/html", "One file of about 5 MB, charts included"),
            _Download("Trials, CSV", lambda: _csv(opened, study), "csv", "text/csv", "One row a trial"),
            _Download("Optuna database", lambda: _optuna(opened, study), "db", _BYTES, "SQLite, for optuna-dashboard"),
            _Download("Study file", lambda: _study_file(study), "yaml", "application/yaml", "For `study run`"),
        ):
            _button(download, f"study-{study.id}", key="study")


def comparison_downloads(run_ids: Sequence[str]) -> None:
    """Draw the button that gives a comparison as one file."""
    opened, ids = store(), tuple(run_ids)
    download = _Download("Web page", lambda: comparison_html(opened, ids), "html", "text/html", "One file of about 5 MB, charts included")
    _button(download, "comparison", key="compare")


def import_section() -> None:
    """Draw the taking in of runs that `export` or another dashboard's Archive button wrote."""
    st.subheader("Import runs")
    st.caption(
        "A file from the Archive button of a run, or from `python -m mnist_dash export`. Names, sizes, hashes and every value are checked "
        "before anything is written; a file that breaks a rule is refused whole. Nothing in it is executed. "
        f"Files above {st.get_option('server.maxUploadSize')} MB go by `python -m mnist_dash import`."
    )
    with st.form("import_runs", border=False):
        st.file_uploader("Archive", type=["zip", "tar"], key=_UPLOAD_KEY, label_visibility="collapsed")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.form_submit_button("Import", icon=":material/upload:", on_click=_import)
            st.checkbox("Give a run a new id where another run has its id", key=_AS_NEW_KEY)
    said, run_ids = st.session_state.pop(_DONE_KEY, ("", ()))
    if run_ids:
        st.success(said, icon=":material/check_circle:")
        for run_id in run_ids[:20]:
            run_link(run_id, f"Run {run_id}")
    elif said:
        st.error(said, icon=":material/error:")


def _import() -> None:
    uploaded = st.session_state.get(_UPLOAD_KEY)
    if uploaded is None:
        st.session_state[_DONE_KEY] = ("An import needs a file; got none. Choose one first.", ())
        return
    with tempfile.TemporaryDirectory(prefix="mnist-dash-import-") as folder:
        path = Path(folder) / f"archive{'.tar' if str(uploaded.name).lower().endswith('.tar') else '.zip'}"
        path.write_bytes(uploaded.getbuffer())
        try:
            done = import_runs(store(), path, as_new=bool(st.session_state.get(_AS_NEW_KEY)))
        except MnistDashError as error:
            st.session_state[_DONE_KEY] = (formatting.plain(str(error)), ())
            return
    parts = [f"{formatting.counted(len(done.taken), 'run')} imported." if done.taken else ""]
    parts += [f"{formatting.counted(len(done.known), 'run')} here already, with the same content." if done.known else ""]
    st.session_state[_DONE_KEY] = (" ".join(part for part in parts if part), (*done.taken.values(), *done.known))


def _button(download: _Download, stem: str, *, key: str) -> None:
    st.download_button(
        download.label,
        download.make,
        file_name=f"{stem}{'.' if '.' not in download.ending else '-'}{download.ending}",
        mime=download.mime,
        key=f"{key}_{download.ending}",
        icon=":material/download:",
        on_click="ignore",
        disabled=bool(download.why_not),
        help=download.why_not or download.help,
    )


def _study_page(opened: Store, study: Study) -> bytes:
    from mnist_dash.reports.study_report import study_html  # with all its figures

    return study_html(opened, study.id)


def _study_file(study: Study) -> str:
    from mnist_dash.search.definition.study_files import write_study

    return write_study(study.definition)


def _csv(opened: Store, study: Study) -> str:
    from mnist_dash.search.studies.export import export_csv  # loads Optuna

    target = io.StringIO()
    export_csv(opened, study, target)
    return target.getvalue()


def _optuna(opened: Store, study: Study) -> bytes:
    from mnist_dash.search.studies.export import export_optuna

    with tempfile.TemporaryDirectory(prefix="mnist-dash-export-") as folder:
        path = Path(folder) / "study.db"
        export_optuna(opened, study, path)
        return path.read_bytes()
