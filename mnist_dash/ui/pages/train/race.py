"""The form beside the Train button that races one hyperparameter of the composed network over some values."""

from __future__ import annotations

import streamlit as st

from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.errors import InvalidStudy
from mnist_dash.glossary import help_for
from mnist_dash.search.definition.race import RULES, RaceSetting, Rule, race_of, race_settings
from mnist_dash.search.definition.study_definition import StudyDefinition
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.estimate import estimate_study
from mnist_dash.text import plural
from mnist_dash.ui.app.navigation import open_study
from mnist_dash.ui.app.resources import store
from mnist_dash.ui.forms.composition import Draft
from mnist_dash.ui.forms.draft_session import DraftSession
from mnist_dash.ui.forms.fields import listed_text, show_problems
from mnist_dash.ui.forms.launch_panel import expected_time
from mnist_dash.ui.forms.submission import submit

RACE: DraftSession[Draft] = DraftSession("race")
"""What was raced last, so that two presses are one race."""
SEEDS = (1, 2, 3, 5)
RULE_NAMES: dict[Rule, str] = {"none": "By hand", "halving": "Successive halving"}
_SETTING_KEY, _SEEDS_KEY, _RULE_KEY = "race_setting", "race_seeds", "race_rule"


def race_popover(config: RunConfig | None) -> None:
    """Draw the button that opens the form, and the form."""
    with st.popover("Race", icon=":material/sports_score:", disabled=config is None):
        if config is not None:
            _form(config)


def _form(config: RunConfig) -> None:
    st.markdown("**Race one hyperparameter**", help=help_for("race"))
    setting = _setting(config)
    key = _values_key(setting)
    st.session_state.setdefault(key, listed_text(setting.values))
    st.text_input("Values", key=key, help="Separated by commas, 2 to 16 of them.")
    left, right = st.columns(2)
    left.segmented_control(
        "Seeds",
        SEEDS,
        default=SEEDS[0],
        required=True,
        key=_SEEDS_KEY,
        help=help_for("seeds per trial"),
    )
    right.selectbox(
        "Drop losers",
        list(RULES),
        key=_RULE_KEY,
        format_func=RULE_NAMES.__getitem__,
        help=help_for("pruner"),
    )
    try:
        definition = _typed(config)
    except InvalidStudy as error:
        show_problems(error.problems)
        definition = None
    st.button(
        "Start race",
        key="race_submit",
        type="primary",
        icon=":material/sports_score:",
        width="stretch",
        disabled=definition is None,
        on_click=_submit,
        args=(config,),
    )
    if RACE.refusal:
        st.error(RACE.refusal, icon=":material/error:")
    if definition is not None:
        _cost(definition)


def _setting(config: RunConfig) -> RaceSetting:
    """Draw the choice of the hyperparameter and give it; what is typed is the path of another one."""
    known = [setting.title for setting in race_settings(config)]
    if _SETTING_KEY not in st.session_state:
        st.session_state[_SETTING_KEY] = known[0]
    chosen = str(
        st.selectbox(
            "Hyperparameter",
            known,
            key=_SETTING_KEY,
            accept_new_options=True,
            help="Choose one, or type the path of any other, such as layers.1.l2.",
        )
    )
    return _named(config, chosen)


def _named(config: RunConfig, title: str) -> RaceSetting:
    """Find a hyperparameter by its title; what is none is the path of another one."""
    return next(
        (setting for setting in race_settings(config) if setting.title == title),
        RaceSetting(title, title, ()),
    )


def _values_key(setting: RaceSetting) -> str:
    """Name the field of the values: another hyperparameter, or another network, begins with other values."""
    return f"race_values_{setting.path}_{listed_text(setting.values)}"


def _typed(config: RunConfig) -> StudyDefinition:
    """Read the form.

    Raises:
        InvalidStudy: what is typed makes no race.
    """
    setting = _named(config, str(st.session_state[_SETTING_KEY]))
    text = str(st.session_state.get(_values_key(setting), ""))
    seeds, rule = int(st.session_state[_SEEDS_KEY]), st.session_state[_RULE_KEY]
    return race_of(config, setting.path, text, seeds=seeds, rule=rule)


def _submit(config: RunConfig) -> None:
    """Start the race and ask for its page; two presses are one race."""
    try:
        definition = _typed(config)
    except InvalidStudy:
        return  # typed just before the click: the form says what is wrong
    study_id = submit(RACE, definition.model_dump_json(), definition, _send)
    if study_id is not None:
        open_study(study_id)


def _send(definition: StudyDefinition, key: str) -> str:
    # Loads Optuna, for which the first page does not wait.
    from mnist_dash.search.actions import (
        steering,
    )

    name = definition.name
    if study_store.exists(store(), name):
        name = steering.free_name(store(), name)
    return steering.create(store(), definition.model_copy(update={"name": name}), key=key)


def _cost(definition: StudyDefinition) -> None:
    expected = estimate_study(store(), definition)
    runs = plural(expected.n_runs or 0, "run")
    st.caption(
        f"{runs} train in turns on all cores, {expected_time(expected.seconds)} in all. You can close the page."
    )
