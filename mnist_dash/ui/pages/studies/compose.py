"""Composing a study: how it is searched and judged, the one button, and what pressing it will cost."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.cautions import cautions
from mnist_dash.core.config.naming import network_name, optimizer_name
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.errors import InvalidInput, MnistDashError, Problem
from mnist_dash.runs.query.estimate import estimate
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.actions import steering
from mnist_dash.search.definition.methods import OBJECTIVES, PRUNER_KINDS, SAMPLER_KINDS, summary
from mnist_dash.search.definition.space import IntRange
from mnist_dash.search.definition.study_definition import StudyDefinition
from mnist_dash.search.definition.study_files import MAX_FILE_BYTES, parse_study, write_study
from mnist_dash.search.studies import study_store
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import open_study
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.app.shortcuts import SUBMIT
from mnist_dash.ui.app.visitor import may_edit
from mnist_dash.ui.forms.fields import sentence
from mnist_dash.ui.forms.study_draft import StudyDraft
from mnist_dash.ui.forms.study_fields import DRAFT_KEY, REFUSAL_KEY, StudyForm, catch_up, change
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
_METHOD_NAMES = {"sampler": ("Sampler", SAMPLER_NAMES, SAMPLER_KINDS), "pruner": ("Pruner", PRUNER_NAMES, PRUNER_KINDS)}
_KEEP_NAMES = {"best": "of the best trials", "all": "of all trials", "none": "of none"}
_SUBMISSION_KEY = "study_submission"
_VISIT_KEY = "study_visit"
_UPLOAD_KEY = "study_upload"
DOUBLE_CLICK_SECONDS = 3.0
"""A second press on the same draft within this time is the same press, even if the page has changed in between."""
_N_RUNS = 20
"""Newest finished runs that are offered to start from."""
_NEW = "Write its name here, or leave it to the one proposed"


@dataclass(frozen=True)
class Submission:
    """What was launched last in this session."""

    key: str
    link: str
    definition: StudyDefinition
    visit: int
    moment: float


def begin_visit() -> None:
    """Count the visits to the composer: launching again after coming back is another study."""
    st.session_state[_VISIT_KEY] = st.session_state.get(_VISIT_KEY, 0) + 1
    st.session_state.pop(REFUSAL_KEY, None)


def free_name(draft: StudyDraft) -> str:
    """Propose a name that no study has."""
    name = draft.proposed_name
    return steering.free_name(store(), name) if study_store.exists(store(), name) else name


def taken_name(draft: StudyDraft) -> tuple[Problem, ...]:
    """Say so where the name that was typed is that of another study."""
    name = draft.tree["name"]
    former: Submission | None = st.session_state.get(_SUBMISSION_KEY)
    is_own = former is not None and former.link == draft.link() and former.visit == st.session_state.get(_VISIT_KEY)
    if not isinstance(name, str) or is_own or not study_store.exists(store(), name):
        return ()
    remedy = f"Choose another name, such as {steering.free_name(store(), name)}."
    return (Problem("name", "a study's name is its own", f"{name}, which is taken", remedy),)


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
        format_func=lambda name: f"{'highest' if OBJECTIVES[name].maximize else 'lowest'} {OBJECTIVES[name].title}",
        on_change=_put_objectives,
        args=(key,),
        help="Up to three. Test figures are none: a study that chose by them would have no test set left.",
        wrap=True,
    )
    form.problems("objectives")
    left, right = st.columns(2)
    with left:
        _method(form, "sampler")
        if any("by one" in problem.rule for problem in form.checked.problems if problem.path.startswith("space.")):
            st.button("Give every range values", key=form.key("lists"), icon=":material/grid_on:", on_click=change, args=(_with_lists,))
    with right:
        _method(form, "pruner")


def _with_lists(draft: StudyDraft) -> StudyDraft:
    return draft.with_lists()


def _put_objectives(key: str) -> None:
    chosen = list(st.session_state[key])
    change(lambda draft: draft.changed(("objectives",), [name for name in OBJECTIVES if name in chosen]))


def _method(form: StudyForm, part: str) -> None:
    label, names, kinds = _METHOD_NAMES[part]
    kind = form.draft.tree[part]["kind"]
    key = form.key(part, "kind")
    st.session_state[key] = kind
    st.selectbox(label, list(names), key=key, format_func=lambda name: names[name], on_change=_put_method, args=(part, key))
    st.caption(f"{summary(kinds[kind]())}.")
    form.problems(part)
    options = [name for name in kinds[kind].model_fields if name != "kind"]
    if not options:
        return
    with st.expander("Options", key=f"study_{part}_options"), st.grid(min_column_width=140) as grid:
        for name in options:
            title, hint = name.removeprefix("n_").replace("_", " ").capitalize(), kinds[kind].model_fields[name].description
            with grid.cell():
                if isinstance(form.draft.tree[part][name], bool):
                    form.flag((part, name), title, hint=hint)
                else:
                    form.text((part, name), title, hint=hint)


def _put_method(part: str, key: str) -> None:
    kind = str(st.session_state[key])
    change(lambda draft: draft.with_method(part, kind))


def effort(form: StudyForm) -> None:
    """Draw budget, parallelism, seeds and what is kept."""
    is_grid = form.draft.tree["sampler"]["kind"] == "grid"
    alive = sum(worker.state != "gone" for worker in store().workers())
    grid = st.grid(min_column_width=150)
    with grid.cell():
        form.text(("budget", "trials"), "Trials", hint="Empty: the whole grid" if is_grid else "Empty: no limit")
    with grid.cell():
        form.text(("budget", "minutes"), "Minutes", hint="Of running, pauses left out; empty: no limit")
    with grid.cell():
        form.text(("budget", "stagnation"), "Until none is better for", hint="Trials without a better one after which it has converged")
    with grid.cell():
        if "epochs" in form.draft.parameters:
            st.text_input("Epochs a trial", "explored", key=form.key("epochs_explored"), disabled=True)
        else:
            form.text(("epochs",), "Epochs a trial", placeholder=str(form.draft.base.epochs), hint="Empty: those of the network")
    with grid.cell():
        form.text(("parallelism",), "Trials at a time", hint="Can be changed while it runs")
    with grid.cell():
        form.text(("seeds",), "Seeds a trial", hint="Runs of each trial, seed after seed; its figure is their mean")
    with grid.cell():
        form.text(("seed",), "Seed of the search", hint="The same seed, one trial at a time, gives the same trials")
    with grid.cell():
        key = form.key("keep", "kind")
        st.session_state[key] = form.draft.tree["keep"]["kind"]
        hint = "Weights and test probabilities; histories are always kept, and a run can be trained again"
        st.selectbox(
            "Keep files",
            list(_KEEP_NAMES),
            key=key,
            format_func=lambda name: _KEEP_NAMES[name],
            on_change=_put_keep,
            args=(key,),
            help=hint,
        )
    if form.draft.tree["keep"]["kind"] == "best":
        with grid.cell():
            form.text(("keep", "n_best"), "How many are the best")
    form.problems("budget")
    form.problems("keep")
    st.caption(_about_workers(alive, store().settings.n_workers))


def _about_workers(alive: int, local: int) -> str:
    if not alive:
        return "No worker is running yet." if local else "No worker is running. Start one with `python -m mnist_dash worker`."
    return f"{plural(alive, 'worker')} running: more trials at a time than that wait for one another."


def _put_keep(key: str) -> None:
    kind = st.session_state[key]
    change(lambda draft: draft.changed(("keep", "kind"), kind))


# the card


def launch_card(form: StudyForm) -> None:
    """Draw what the study starts from, its name, the Launch button and the preflight."""
    with st.container(border=True):
        _choose_base(form)
        form.text(("name",), "Name", parse=_parse_name, placeholder=form.name, hint=_NEW)
        form.text(("question",), "Question", parse=_parse_text, placeholder="What it answers, in a sentence")
        definition = form.checked.definition
        if may_edit():
            st.button(
                "Launch study",
                key="study_launch",
                type="primary",
                icon=":material/rocket_launch:",
                width="stretch",
                shortcut=SUBMIT,
                disabled=definition is None,
                on_click=_launch,
            )
        refusal = st.session_state.get(REFUSAL_KEY)
        if refusal:
            st.error(refusal, icon=":material/error:")
        if definition is None:
            _what_is_wrong(form)
        else:
            _preflight(store(), definition)
        _file_actions(form, definition)


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
        "Explore around",
        options if draft.origin in options else [draft.origin, *options],
        key=key,
        format_func=lambda origin: _origin_name(origin, runs.get(origin)),
        on_change=_put_base,
        args=(key,),
    )
    base = draft.base
    st.caption(f"{network_name(base)}, {optimizer_name(base)}, batch {base.batch_size}, {plural(base.epochs, 'epoch')}.")
    if draft.had_leak:
        st.info("It validates on the test set. A study does not choose by that, so here the last sixth of the training images validates.")


def _origin_name(origin: str, run: Run | None) -> str:
    kind, _, name = origin.partition(":")
    if kind == "preset" and name in PRESETS:
        return PRESETS[name].title
    if run is not None:
        return f"Run {name}: {network_name(run.config)}, {formatting.percent(run.test_accuracy)}"
    return f"{kind.capitalize()} {name}" if name else "As composed"


def _put_base(key: str) -> None:
    kind, _, name = str(st.session_state[key]).partition(":")
    if kind == "preset":
        change(lambda draft: draft.with_base(PRESETS[name].config, origin=f"preset:{name}"))
    elif kind == "run":
        config = store().run(name).config
        change(lambda draft: draft.with_base(config, origin=f"run:{name}"))


def _launch() -> None:
    """Launch what is composed and ask for its page; two presses are one study."""
    draft = catch_up()
    submission = _submission(draft)
    if submission is None:
        return
    st.session_state[_SUBMISSION_KEY] = submission  # first: once the second click is in, every later write ends this callback
    try:
        study_id = steering.create(store(), submission.definition, key=submission.key)
    except MnistDashError as error:
        st.session_state.pop(_SUBMISSION_KEY)  # another name, perhaps
        st.session_state[REFUSAL_KEY] = str(error)
        return
    st.session_state.pop(REFUSAL_KEY, None)
    open_study(study_id)


def _submission(draft: StudyDraft) -> Submission | None:
    former: Submission | None = st.session_state.get(_SUBMISSION_KEY)
    visit, moment, link = st.session_state.get(_VISIT_KEY, 0), time.monotonic(), draft.link()
    same = former is not None and former.link == link
    if former is not None and same and (former.visit == visit or moment - former.moment < DOUBLE_CLICK_SECONDS):
        return former
    definition = draft.check(name=free_name(draft)).definition
    return None if definition is None else Submission(uuid.uuid4().hex, link, definition, visit, moment)


def _what_is_wrong(form: StudyForm) -> None:
    problems = form.checked.problems
    st.markdown(f":red[:material/error: {plural(len(problems), 'problem')} to solve before it can be launched.]")
    for problem in problems:
        where = problem.path.removeprefix("space.").replace("_", " ")
        if problem not in form.shown:
            st.markdown(f":small[:red[{where}: {sentence(problem)}]]")


def _preflight(opened: Store, definition: StudyDefinition) -> None:
    space, base = definition.space, definition.space.base
    epochs = next((each for each in space.parameters if each.path == "epochs" and isinstance(each, IntRange)), None)
    if epochs is not None:
        base = base.model_copy(update={"epochs": (epochs.low + epochs.high) // 2})
    expected = estimate(opened, base)
    n_workers = max(1, sum(worker.state != "gone" for worker in opened.workers()))
    at_once = min(n_workers, definition.parallelism * definition.seeds)
    total, seconds = planned_runs(definition), expected.seconds_total
    rows = {":material/tune: Explored": plural(len(space.parameters), "setting")}
    if definition.n_grid is not None:
        rows[":material/grid_on: Grid"] = plural(definition.n_grid, "point")
    rows[":material/replay: Runs"] = _open_end(definition) if total is None else _runs_in_words(definition, total)
    rows[":material/timer: A run"] = "not known yet" if seconds is None else f"about {formatting.duration(seconds)}"
    rows[":material/hourglass_bottom: The study"] = _whole_time(definition, total, seconds, at_once)
    st.table(rows, border="horizontal", alt="What this study will cost")
    st.caption(f"{expected.basis[:1].upper()}{expected.basis[1:]}, for the network as it is; other settings take longer or shorter.")
    for caution in cautions(base):
        st.warning(caution, icon=":material/warning:")
    if n_workers < definition.parallelism:
        running = plural(n_workers, "worker")
        st.caption(f":material/info: {definition.parallelism} trials at a time on {running}: the others wait in the queue.")


def planned_runs(definition: StudyDefinition) -> int | None:
    """Say how many runs a study will make at most; None where time or convergence decides."""
    known = [number for number in (definition.n_grid, definition.budget.trials) if number is not None]
    return min(known) * definition.seeds if known else None


def _runs_in_words(definition: StudyDefinition, total: int) -> str:
    trials = plural(total // definition.seeds, "trial")
    most = "at most " if definition.budget.stagnation is not None or definition.budget.minutes is not None else ""
    return f"{most}{total:,}" + (f" ({trials} x {plural(definition.seeds, 'seed')})" if definition.seeds > 1 else "")


def _open_end(definition: StudyDefinition) -> str:
    return "as many as fit" if definition.budget.minutes is not None else "until it has converged"


def _whole_time(definition: StudyDefinition, total: int | None, seconds: float | None, at_once: int) -> str:
    minutes = definition.budget.minutes
    ends = [] if total is None or seconds is None else [total * seconds / at_once]
    ends += [] if minutes is None else [60 * minutes]
    if not ends:
        return "not known yet"
    most = "at most " if definition.pruner.kind != "none" or definition.budget.stagnation is not None else "about "
    return f"{most}{formatting.duration(min(ends))}"


# files


def _file_actions(form: StudyForm, definition: StudyDefinition | None) -> None:
    with st.container(horizontal=True, gap="xsmall"):
        st.download_button(
            "Save as file",
            "" if definition is None else write_study(definition),
            file_name=f"{form.draft.tree['name'] or form.name}.yaml",
            mime="application/yaml",
            key="study_save",
            icon=":material/download:",
            disabled=definition is None,
            on_click="ignore",
            help="YAML that `python -m mnist_dash study run` runs too",
        )
        with st.popover("Start from a file", icon=":material/folder_open:"):
            with st.container(height=340, border=False, gap="xsmall"):
                for ready in ready_studies():
                    _offer_file(ready)
            st.file_uploader("A study file of your own", type=["yaml", "yml"], key=_UPLOAD_KEY, on_change=_start_from_upload)
        st.button("Start over", key="study_reset", type="tertiary", icon=":material/undo:", on_click=_start_over)


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
        st.caption(formatting.plain(ready.problem if ready.definition is None else ready.definition.question))


def start_from_file(name: str) -> None:
    """Fill the composer in from a study file of the repository; for callbacks."""
    definition = next((ready.definition for ready in ready_studies() if ready.name == name), None)
    if definition is not None:
        st.session_state[DRAFT_KEY] = StudyDraft.from_definition(definition, origin=f"file:{name}")
        st.session_state.pop(REFUSAL_KEY, None)


def _start_from_upload() -> None:
    uploaded = st.session_state.get(_UPLOAD_KEY)
    if uploaded is None:
        return
    name = str(uploaded.name).rpartition(".")[0]
    try:
        if uploaded.size > MAX_FILE_BYTES:
            raise InvalidInput(f"A study file has at most {MAX_FILE_BYTES:,} bytes; got {uploaded.size:,}. Choose another file.")
        definition = parse_study(uploaded.getvalue().decode("utf-8", errors="replace"), default_name=name)
    except MnistDashError as error:
        st.session_state[REFUSAL_KEY] = str(error)
        return
    st.session_state[DRAFT_KEY] = StudyDraft.from_definition(definition, origin=f"file:{name}")
    st.session_state.pop(REFUSAL_KEY, None)


def _start_over() -> None:
    kind, _, name = st.session_state[DRAFT_KEY].origin.partition(":")
    st.session_state[DRAFT_KEY] = StudyDraft.from_preset(name if kind == "preset" else "")
    st.session_state.pop(REFUSAL_KEY, None)
