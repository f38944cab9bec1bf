"""Composing a study: how it is searched and judged, the one button, and what pressing it will cost."""

from __future__ import annotations

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.cautions import cautions
from mnist_dash.core.config.naming import network_name, optimizer_name
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.errors import InvalidInput, MnistDashError, Problem
from mnist_dash.glossary import help_for
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.methods import OBJECTIVES, PRUNER_KINDS, SAMPLER_KINDS, summary
from mnist_dash.search.definition.study_definition import StudyDefinition
from mnist_dash.search.definition.study_files import MAX_FILE_BYTES, parse_study, write_study
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.estimate import StudyEstimate, estimate_study
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import open_study
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.forms.draft_session import STUDY
from mnist_dash.ui.forms.fields import StudyForm
from mnist_dash.ui.forms.launch_panel import SubmitButton, cost_table, expected_time, launch_panel
from mnist_dash.ui.forms.places import Place
from mnist_dash.ui.forms.study_draft import StudyDraft
from mnist_dash.ui.forms.submission import is_submitted, submit
from mnist_dash.ui.pages.studies.listing import ReadyStudy, ready_studies

SAMPLER_NAMES = {
    "tpe": "TPE (Bayesian)",
    "gp": "Gaussian process",
    "cmaes": "CMA-ES",
    "qmc": "Quasi-Monte Carlo (Sobol)",
    "random": "Random",
    "nsga2": "NSGA-II (genetic)",
    "grid": "Grid",
}
PRUNER_NAMES = {
    "none": "None",
    "median": "Median",
    "percentile": "Percentile",
    "halving": "Successive halving",
    "hyperband": "Hyperband",
    "patient": "Patient",
}
_METHOD_NAMES = {
    "sampler": ("Sampler", SAMPLER_NAMES, SAMPLER_KINDS),
    "pruner": ("Pruner", PRUNER_NAMES, PRUNER_KINDS),
}
_KEEP_NAMES = {"best": "of the best trials", "all": "of all trials", "none": "of none"}
_UPLOAD_KEY = "study_upload"
_N_RUNS = 20
"""Newest finished runs that are offered to start from."""
_NEW = "The name of the study. Empty means the proposed one."


def free_name(draft: StudyDraft) -> str:
    """Propose a name that no study has."""
    name = draft.proposed_name
    return steering.free_name(store(), name) if study_store.exists(store(), name) else name


def taken_name(draft: StudyDraft) -> tuple[Problem, ...]:
    """Say so where the name that was typed is that of another study."""
    name = draft.tree["name"]
    if (
        not isinstance(name, str)
        or not study_store.exists(store(), name)
        or is_submitted(STUDY, draft.link())
    ):
        return ()
    remedy = f"Choose another name, such as {steering.free_name(store(), name)}."
    return (Problem("name", f"the name {name!r} is taken", "", remedy),)


# how it is searched


def methods(form: StudyForm) -> None:
    """Draw objectives, sampler and pruner with their options."""
    key = form.key("objectives")
    st.session_state[key] = list(form.draft.tree["objectives"])
    st.pills(
        "Objectives",
        list(OBJECTIVES),
        selection_mode="multi",
        key=key,
        format_func=lambda name: (
            f"{'highest' if OBJECTIVES[name].maximize else 'lowest'} {OBJECTIVES[name].title}"
        ),
        on_change=_put_objectives,
        args=(form, key),
        help=help_for("objective", "A study has up to three."),
        wrap=True,
    )
    form.problems("objectives")
    left, right = st.columns(2)
    with left:
        _method(form, "sampler")
        if form.draft.needs_lists:
            st.button(
                "Turn ranges into values",
                key=form.key("lists"),
                icon=":material/grid_on:",
                on_click=form.change,
                args=(_with_lists,),
            )
    with right:
        _method(form, "pruner")


def _with_lists(draft: StudyDraft) -> StudyDraft:
    return draft.with_lists()


def _put_objectives(form: StudyForm, key: str) -> None:
    chosen = list(st.session_state[key])
    form.change(
        lambda draft: draft.changed(
            ("objectives",), [name for name in OBJECTIVES if name in chosen]
        )
    )


def _method(form: StudyForm, part: str) -> None:
    label, names, kinds = _METHOD_NAMES[part]
    kind = form.draft.tree[part]["kind"]
    key = form.key(part, "kind")
    st.session_state[key] = kind
    st.selectbox(
        label,
        list(names),
        key=key,
        format_func=lambda name: names[name],
        on_change=_put_method,
        args=(form, part, key),
    )
    st.caption(f"{summary(kinds[kind]())}.")
    form.problems(part)
    options = [name for name in kinds[kind].model_fields if name != "kind"]
    if not options:
        return
    with st.expander("Options", key=f"study_{part}_options"), st.grid(min_column_width=140) as grid:
        for name in options:
            title, hint = (
                name.removeprefix("n_").replace("_", " ").capitalize(),
                kinds[kind].model_fields[name].description,
            )
            with grid.cell():
                if isinstance(form.draft.tree[part][name], bool):
                    form.flag((part, name), title, hint=hint)
                else:
                    form.text((part, name), title, hint=hint)


def _put_method(form: StudyForm, part: str, key: str) -> None:
    kind = str(st.session_state[key])
    form.change(lambda draft: draft.with_method(part, kind))


def effort(form: StudyForm) -> None:
    """Draw budget, parallelism, seeds and what is kept."""
    is_grid = form.draft.tree["sampler"]["kind"] == "grid"
    numbers: tuple[tuple[Place, str, str], ...] = (
        (
            "budget.trials",
            "Trials",
            help_for(
                "budget", "Empty means the whole grid." if is_grid else "Empty means no limit."
            ),
        ),
        (
            "budget.minutes",
            "Minutes",
            "The running time after which the study ends, without pauses. Empty means no limit.",
        ),
        (
            "budget.stagnation",
            "Stop after N trials without improvement",
            help_for("trials without improvement"),
        ),
        (
            "epochs",
            "Epochs per trial",
            help_for("epoch", "Empty means as many as the network has."),
        ),
        (
            "parallelism",
            "Parallel trials",
            help_for("parallel trials", "You can change this while the study runs."),
        ),
        ("seeds", "Seeds per trial", help_for("seeds per trial")),
        (
            "seed",
            "Sampler seed",
            "The same seed with one trial at a time gives the same trials again.",
        ),
    )
    grid = st.grid(min_column_width=150)
    for place, label, hint in numbers:
        with grid.cell():
            if place != "epochs":
                form.number(place, label, hint=hint)
            elif "epochs" in form.draft.parameters:
                st.text_input(label, "explored", key=form.key("epochs_explored"), disabled=True)
            else:
                form.number(place, label, hint=hint, placeholder=str(form.draft.base.epochs))
    with grid.cell():
        hint = "Which trials keep their weights and test probabilities. Learning curves are always kept, and every run can be rerun."
        form.choice("keep.kind", "Keep files", _KEEP_NAMES, hint=hint)
    if form.draft.tree["keep"]["kind"] == "best":
        with grid.cell():
            form.number("keep.n_best", "Number of best trials")
    form.problems("budget")
    form.problems("keep")
    workers = store().workers()
    st.caption(
        _about_workers(
            sum(worker.state != "gone" for worker in workers), store().settings.n_workers
        )
    )


def _about_workers(alive: int, local: int) -> str:
    if not alive:
        return (
            "No worker is running yet."
            if local
            else "No worker is running. Start one with `mnist-dash worker`."
        )
    return (
        f"{plural(alive, 'worker')} running. More parallel trials than workers wait in the queue."
    )


# the card


def launch_card(form: StudyForm, name: str) -> None:
    """Draw what the study starts from, its name, the Launch button and the preflight.

    Args:
        form: of the study.
        name: what it is called where nobody typed a name.
    """
    with st.container(border=True):
        _choose_base(form)
        form.text(("name",), "Name", parse=_parse_name, placeholder=name, hint=_NEW)
        form.text(
            ("question",),
            "Question",
            parse=_parse_text,
            placeholder="What the study answers, in a sentence",
        )
        button = SubmitButton(
            "Launch study",
            "study_launch",
            ":material/rocket_launch:",
            _launch,
            "problem",
            "to solve before it can be launched",
        )
        launch_panel(form, form.checked.definition, button, _preflight)
        _file_actions(form.draft.tree["name"] or name, form.checked.definition)


def _parse_name(text: str | None) -> str | None:
    return (text or "").strip() or None


def _parse_text(text: str | None) -> str:
    return (text or "").strip()


def _choose_base(form: StudyForm) -> None:
    draft = form.draft
    runs = {f"run:{run.id}": run for run in store().runs(limit=_N_RUNS, states=[RunState.FINISHED])}
    options = [*(f"preset:{name}" for name in PRESETS), *runs]
    key = form.key("origin")
    st.session_state[key] = draft.origin
    st.selectbox(
        "Base network",
        options if draft.origin in options else [draft.origin, *options],
        key=key,
        format_func=lambda origin: _origin_name(origin, runs.get(origin)),
        on_change=_put_base,
        args=(form, key),
    )
    base = draft.base
    st.caption(
        f"{network_name(base)}, {optimizer_name(base)}, batch {base.batch_size}, {plural(base.epochs, 'epoch')}."
    )
    if draft.had_leak:
        st.info(
            "This network validates on the test set. A study must not choose by "
            "the test set, so the last sixth of the training images validates here."
        )


def _origin_name(origin: str, run: Run | None) -> str:
    kind, _, name = origin.partition(":")
    if kind == "preset" and name in PRESETS:
        return PRESETS[name].title
    if run is not None:
        return f"{run.title}, {formatting.percent(run.test_accuracy)}"
    return f"{kind.capitalize()} {name}" if name else "As composed"


def _put_base(form: StudyForm, key: str) -> None:
    kind, _, name = str(st.session_state[key]).partition(":")
    if kind == "preset":
        form.change(lambda draft: draft.with_base(PRESETS[name].config, origin=f"preset:{name}"))
    elif kind == "run":
        config = store().run(name).config
        form.change(lambda draft: draft.with_base(config, origin=f"run:{name}"))


def _launch() -> None:
    """Launch what is composed and ask for its page; two presses are one study."""
    draft = STUDY.catch_up()
    definition = draft.check(name=free_name(draft)).definition
    if definition is None:
        return
    study_id = submit(
        STUDY,
        draft.link(),
        definition,
        lambda definition, key: steering.create(store(), definition, key=key),
    )
    if study_id is not None:
        open_study(study_id)


def _preflight(definition: StudyDefinition) -> None:
    expected = estimate_study(store(), definition)
    rows = {
        ":material/tune: Search space": plural(len(definition.space.parameters), "hyperparameter")
    }
    if definition.n_grid is not None:
        rows[":material/grid_on: Grid"] = plural(definition.n_grid, "point")
    rows[":material/replay: Runs"] = _runs(definition, expected)
    rows[":material/timer: Time per run"] = expected_time(expected.run.seconds_total)
    rows[":material/hourglass_bottom: Whole study"] = _whole_time(expected)
    basis = (
        f"{expected.run.basis}, for the base network; other hyperparameters take more or less time"
    )
    cost_table(rows, alt="Estimated cost of this study", basis=basis)
    for caution in cautions(definition.space.base):
        st.warning(caution, icon=":material/warning:")
    if expected.n_workers < definition.parallelism:
        running = plural(expected.n_workers, "worker")
        st.caption(
            f":material/info: {plural(definition.parallelism, 'parallel trial')} on {running}: the others wait in the queue."
        )


def _runs(definition: StudyDefinition, expected: StudyEstimate) -> str:
    if expected.n_runs is None:
        return (
            "as many as the time allows"
            if definition.budget.minutes is not None
            else "until no improvement"
        )
    most = "at most " if expected.n_runs_is_bound else ""
    if definition.seeds == 1:
        return f"{most}{expected.n_runs:,}"
    trials = plural(expected.n_runs // definition.seeds, "trial")
    return f"{most}{expected.n_runs:,} ({trials} x {plural(definition.seeds, 'seed')})"


def _whole_time(expected: StudyEstimate) -> str:
    if expected.seconds is None or not expected.seconds_is_bound:
        return expected_time(expected.seconds)
    return f"at most {formatting.duration(expected.seconds)}"


# files


def _file_actions(name: str, definition: StudyDefinition | None) -> None:
    with st.container(horizontal=True, gap="xsmall"):
        st.download_button(
            "Save as file",
            "" if definition is None else write_study(definition),
            file_name=f"{name}.yaml",
            mime="application/yaml",
            key="study_save",
            icon=":material/download:",
            disabled=definition is None,
            on_click="ignore",
            help="A YAML file that `mnist-dash study run` can run.",
        )
        with st.popover("Start from a file", icon=":material/folder_open:"):
            with st.container(height=340, border=False, gap="xsmall"):
                for ready in ready_studies():
                    _offer_file(ready)
            st.file_uploader(
                "A study file of your own",
                type=["yaml", "yml"],
                key=_UPLOAD_KEY,
                on_change=_start_from_upload,
            )
        st.button(
            "Start over",
            key="study_reset",
            type="tertiary",
            icon=":material/undo:",
            on_click=_start_over,
        )


def _offer_file(ready: ReadyStudy) -> None:
    with st.container(gap=None):
        st.button(
            ready.name.replace("_", " "),
            key=f"study_file_{ready.name}",
            type="tertiary",
            icon=":material/description:",
            disabled=ready.definition is None,
            on_click=start_from_file,
            args=(ready.name,),
        )
        st.caption(
            formatting.plain(
                ready.problem if ready.definition is None else ready.definition.question
            )
        )


def draft_from_file(name: str) -> StudyDraft:
    """Start from a study file of the repository.

    Raises:
        InvalidInput: there is none of this name, or it is no study.
    """
    files = {ready.name: ready for ready in ready_studies()}
    if name not in files:
        raise InvalidInput(
            f"Unknown study file {name[:40]!r} (one of {', '.join(files)}). Choose one under “Start from a file”."
        )
    ready = files[name]
    if ready.definition is None:
        raise InvalidInput(ready.problem)
    return StudyDraft.from_definition(ready.definition, origin=f"file:{name}")


def start_from_file(name: str) -> None:
    """Fill the composer in from a study file of the repository; for callbacks."""
    try:
        STUDY.start(draft_from_file(name))
    except InvalidInput as error:  # it has changed since it was offered
        STUDY.refuse(str(error))


def _start_from_upload() -> None:
    uploaded = st.session_state.get(_UPLOAD_KEY)
    if uploaded is None:
        return
    name = str(uploaded.name).rpartition(".")[0]
    try:
        if uploaded.size > MAX_FILE_BYTES:
            raise InvalidInput(
                f"The file is too large: {uploaded.size:,} bytes (at most {MAX_FILE_BYTES:,}). Choose another file."
            )
        definition = parse_study(
            uploaded.getvalue().decode("utf-8", errors="replace"), default_name=name
        )
    except MnistDashError as error:
        STUDY.refuse(str(error))
        return
    STUDY.start(StudyDraft.from_definition(definition, origin=f"file:{name}"))


def _start_over() -> None:
    kind, _, name = STUDY.draft.origin.partition(":")
    STUDY.start(StudyDraft.from_preset(name if kind == "preset" else ""))
