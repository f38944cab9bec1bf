"""Trials written as if they had been: for tests and benchmarks of studies with thousands of them."""

from __future__ import annotations

import json
import math

import numpy as np

from mnist_dash.core.config.run_config import RunConfig, canonical_json
from mnist_dash.core.layers import Dense, Flatten
from mnist_dash.runs.store import schema
from mnist_dash.runs.store.run_store import Store
from mnist_dash.runs.store.states import RunState
from mnist_dash.search.definition.study_definition import StudyDefinition, canonical
from mnist_dash.search.definition.study_files import parse_study
from mnist_dash.search.studies import study_store
from mnist_dash.search.studies.records import Origin, StudyState, TrialState

LINEAR = RunConfig(
    layers=(Flatten(), Dense(units=10, activation="softmax")), epochs=3, batch_size=1000
)
FILE = """
name: many
base: mlp_quick
set: {epochs: 3}
space:
  optimizer.kind: [sgd, adam]
  optimizer.learning_rate: {low: 0.0001, high: 1, log: true}
  optimizer.momentum: {low: 0, high: 0.9, when: {optimizer.kind: sgd}}
  batch_size: {low: 16, high: 512, log: true}
  dense.units: {low: 16, high: 512, log: true}
  dense.dropout: {low: 0, high: 0.5}
objective: val_accuracy
sampler: tpe
pruner: median
budget: 100000
"""


def fill(
    store: Store,
    n_trials: int,
    *,
    definition: StudyDefinition | None = None,
    state: StudyState = StudyState.RUNNING,
) -> str:
    """Write a study with ended trials, a fifth of them pruned, with curves of three epochs and a run each; returns the study's id."""
    definition = definition or parse_study(FILE)
    generator = np.random.default_rng(0)
    config = canonical_json(LINEAR)
    trials, links, runs = [], [], []
    for number in range(n_trials):
        values = definition.space.from_unit(
            generator.random(len(definition.space.parameters)).tolist()
        )
        rate = float(str(values.get("optimizer.learning_rate", 0.01)))
        accuracy = (
            0.98 - 0.02 * (math.log10(rate) + 2.5) ** 2 + 0.005 * float(generator.standard_normal())
        )
        pruned = number % 5 == 4
        trials.append(
            {
                "study_id": "many0000",
                "number": number,
                "state": TrialState.PRUNED if pruned else TrialState.COMPLETE,
                "origin": Origin.SAMPLER,
                "parameters": json.dumps(values),
                "figures": json.dumps([accuracy] * len(definition.objectives)),
                "curve": json.dumps(
                    [accuracy - 0.02, accuracy - 0.01, accuracy][: 1 if pruned else 3]
                ),
                "created_at": 1e9 + 2 * number,
                "started_at": 1e9 + 2 * number,
                "ended_at": 1e9 + 2 * number + 3,
                "told_order": number,
                "revision": 1,
            }
        )
        links.append(
            {"study_id": "many0000", "number": number, "seed": 0, "run_id": f"{number:08x}"}
        )
        runs.append(
            {
                "id": f"{number:08x}",
                "state": RunState.PRUNED if pruned else RunState.FINISHED,
                "config": config,
                "config_hash": LINEAR.hash,
                "created_at": 1e9 + 2 * number,
                "n_steps": 150,
                "n_parameters": 7850,
                "epoch": 3,
                "test_accuracy": accuracy,
            }
        )
    with store.writing() as connection:
        row = {
            "id": "many0000",
            "name": definition.name,
            "definition": canonical(definition),
            "state": state,
            "created_at": 1e9,
        }
        connection.execute(schema.studies.insert().values(row))
        for table, rows in (
            (schema.trials, trials),
            (schema.trial_runs, links),
            (schema.runs, runs),
        ):
            connection.execute(table.insert(), rows)
        study_store.add_event(connection, "many0000", "Begun.")
    return "many0000"
