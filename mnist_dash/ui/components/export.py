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
from mnist_dash.runs.access import link_use
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.transfer.archive_export import archive_of
from mnist_dash.runs.transfer.archive_import import import_runs
from mnist_dash.runs.transfer.model_bundle import model_bundle, run_onnx
from mnist_dash.runs.transfer.tables import epochs_table, steps_table, to_csv, to_parquet
from mnist_dash.search.studies.records import Study
from mnist_dash.text import plural, verb
from mnist_dash.ui.app import admission
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
    """Draw what can be exported of a run."""
    opened, run_id = store(), run.id
    no_end = "" if run.state.is_terminal else "Available when the run has ended."
    page = _Download(
        "Web page",
        lambda: run_html(opened, run_id),
        "html",
        "text/html",
        "One HTML file of about 5 MB with all charts, which opens without a network.",
    )
    whole = _Download(
        "Archive",
        lambda: archive_of(opened, [run_id]),
        "run.zip",
        "application/zip",
        "All files of the run with their hashes, for another MNIST Dash.",
        no_end,
    )
    rows = {
        "Report": [page],
        "Model": _networks(opened, run),
        "Code without MNIST Dash": _programs(run),
        "Metrics": _histories(opened, run),
        "Whole run": [whole],
    }
    for heading, downloads in rows.items():
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(heading, width=260)
            for download in downloads:
                _button(download, run_id, key="run")


def _networks(opened: Store, run: Run) -> list[_Download]:
    missing = (
        ""
        if artifacts.has(opened, run.id, ArtifactKind.WEIGHTS)
        else "Not available: this run has left no weights."
    )
    return [
        _Download(
            "Weights",
            lambda: artifacts.read(opened, run.id, ArtifactKind.WEIGHTS),
            "safetensors",
            _BYTES,
            "Weights as safetensors, for a plain torch.nn.Sequential.",
            missing,
        ),
        _Download(
            "Model with card",
            lambda: model_bundle(opened, run.id),
            "model.zip",
            "application/zip",
            "Weights as safetensors with a README, the model card.",
            missing,
        ),
        _Download(
            "ONNX",
            lambda: run_onnx(opened, run.id),
            "onnx",
            _BYTES,
            "The network as ONNX, from grey values to probabilities.",
            missing,
        ),
    ]


def _programs(run: Run) -> list[_Download]:
    config = run.config
    return [
        _Download(
            "Training script",
            lambda: training_script(config, precision=run.precision),
            "train.py",
            "text/x-python",
            "A Python script that trains the same network with torch and torchvision alone.",
        ),
        _Download(
            "Notebook",
            lambda: notebook(config, title=title(run), precision=run.precision),
            "train.ipynb",
            "application/x-ipynb+json",
            "The training script as a Jupyter notebook.",
        ),
        _Download(
            "Configuration",
            lambda: config.model_dump_json(indent=2),
            "json",
            "application/json",
            "The configuration as JSON, for `mnist-dash train --config`.",
        ),
    ]


def _histories(opened: Store, run: Run) -> list[_Download]:
    missing = "" if run.epoch else "Not available: this run has finished no epoch."
    ids = [run.id]
    return [
        _Download(
            "Epochs, CSV",
            lambda: to_csv(epochs_table(opened, ids)),
            "epochs.csv",
            "text/csv",
            "All metrics with all their digits.",
            missing,
        ),
        _Download(
            "Steps, CSV",
            lambda: to_csv(steps_table(opened, ids)),
            "steps.csv",
            "text/csv",
            "All metrics with all their digits.",
            missing,
        ),
        _Download(
            "Epochs, Parquet",
            lambda: to_parquet(epochs_table(opened, ids)),
            "epochs.parquet",
            _BYTES,
            "All metrics with all their digits and types.",
            missing,
        ),
        _Download(
            "Steps, Parquet",
            lambda: to_parquet(steps_table(opened, ids)),
            "steps.parquet",
            _BYTES,
            "All metrics with all their digits and types.",
            missing,
        ),
    ]


def study_downloads(study: Study) -> None:
    """Draw what can be exported of a study, behind one button."""
    opened = store()
    with st.popover("Export", icon=":material/download:"):
        for download in (
            _Download(
                "Web page",
                lambda: _study_page(opened, study),
                "html",
                "text/html",
                "One HTML file of about 5 MB with all charts, which opens without a network.",
            ),
            _Download(
                "Trials, CSV",
                lambda: _csv(opened, study),
                "csv",
                "text/csv",
                "One row per trial with all values and all their digits.",
            ),
            _Download(
                "Optuna database",
                lambda: _optuna(opened, study),
                "db",
                _BYTES,
                "An SQLite file for optuna-dashboard.",
            ),
            _Download(
                "Study file",
                lambda: _study_file(study),
                "yaml",
                "application/yaml",
                "The definition of the study as YAML, for `mnist-dash study run`.",
            ),
        ):
            _button(download, f"study-{study.id}", key="study")


def comparison_downloads(run_ids: Sequence[str]) -> None:
    """Draw the button that gives a comparison as one file."""
    opened, ids = store(), tuple(run_ids)
    download = _Download(
        "Web page",
        lambda: comparison_html(opened, ids),
        "html",
        "text/html",
        "One HTML file of about 5 MB with all charts, which opens without a network.",
    )
    _button(download, "comparison", key="compare")


def import_section() -> None:
    """Draw the import of runs that `export` or another dashboard's Archive button wrote."""
    st.subheader("Import runs")
    st.caption(
        "Choose a file from the Archive button of a run or from `mnist-dash export`. Names, sizes, hashes and all values are checked "
        "before anything is written. A file with a mistake is refused as a whole. Nothing in it is executed. "
        f"Import files above {st.get_option('server.maxUploadSize')} MB with `mnist-dash import`."
    )
    with st.form("import_runs", border=False):
        st.file_uploader(
            "Archive", type=["zip", "tar"], key=_UPLOAD_KEY, label_visibility="collapsed"
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.form_submit_button("Import", icon=":material/upload:", on_click=_import)
            st.checkbox("Assign a new id where another run has the same one", key=_AS_NEW_KEY)
    said, run_ids = st.session_state.pop(_DONE_KEY, ("", ()))
    if run_ids:
        st.success(said, icon=":material/check_circle:")
        for run_id in run_ids[:20]:
            run_link(run_id, formatting.plain(store().run(run_id).title))
    elif said:
        st.error(said, icon=":material/error:")


def _import() -> None:
    uploaded = st.session_state.get(_UPLOAD_KEY)
    if uploaded is None:
        st.session_state[_DONE_KEY] = ("No file is chosen. Choose one, then press Import.", ())
        return
    with tempfile.TemporaryDirectory(prefix="mnist-dash-import-") as folder:
        path = (
            Path(folder)
            / f"archive{'.tar' if str(uploaded.name).lower().endswith('.tar') else '.zip'}"
        )
        path.write_bytes(uploaded.getbuffer())
        try:
            done = import_runs(store(), path, as_new=bool(st.session_state.get(_AS_NEW_KEY)))
        except MnistDashError as error:
            st.session_state[_DONE_KEY] = (formatting.plain(str(error)), ())
            return
    parts = [f"{plural(len(done.taken), 'run')} imported." if done.taken else ""]
    parts += [
        f"{plural(len(done.known), 'run')} {verb(len(done.known), 'are')} here already with the same content."
        if done.known
        else ""
    ]
    st.session_state[_DONE_KEY] = (
        " ".join(part for part in parts if part),
        (*done.taken.values(), *done.known),
    )


def _button(download: _Download, stem: str, *, key: str) -> None:
    st.download_button(
        download.label,
        _counted(download.make),
        file_name=f"{stem}{'.' if '.' not in download.ending else '-'}{download.ending}",
        mime=download.mime,
        key=f"{key}_{download.ending}",
        icon=":material/download:",
        on_click="ignore",
        disabled=bool(download.why_not),
        help=download.why_not or download.help,
    )


def _counted(make: Callable[[], bytes | str]) -> Callable[[], bytes | str]:
    """Count what is made for visitors of a share link, who may have so many files within a minute."""
    token = admission.token()
    if token is None:
        return make
    most = store().settings.access.link_exports

    def made() -> bytes | str:
        link_use.SERVER.export(token.partition(".")[0], most=most)
        return make()

    return made


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
