"""A run, and several runs side by side, as one HTML file each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pandas as pd

from mnist_dash import formatting
from mnist_dash.core.analysis.calibration_curve import calibration_curve
from mnist_dash.core.analysis.evaluation import (
    Labels,
    Probabilities,
    classification_report,
    confusion_matrix,
    ranked_images,
    wilson_interval,
)
from mnist_dash.core.config import nested
from mnist_dash.core.config.naming import network_name, optimizer_name
from mnist_dash.core.data.idx import CLASS_NAMES, read_images, read_labels
from mnist_dash.core.export.markup import escaped_html, visible
from mnist_dash.core.export.png import data_uri
from mnist_dash.core.layers import format_shape
from mnist_dash.errors import ArtifactError, DataError, InvalidInput
from mnist_dash.figures.base.confusion import draw_confusion
from mnist_dash.figures.base.curves import Curve, CurveOptions, Metric, draw_curves, prepare_curves
from mnist_dash.figures.run.calibration_curve import draw_calibration
from mnist_dash.reports.page import page
from mnist_dash.reports.parts import (
    Part,
    chart,
    group,
    headline,
    listing,
    paragraph,
    pictures,
    section,
    side_by_side,
    table,
)
from mnist_dash.runs.store import artifacts
from mnist_dash.runs.store.artifacts import ArtifactKind
from mnist_dash.runs.store.records import Run
from mnist_dash.runs.store.run_store import Store
from mnist_dash.text import plural

N_WORST = 48
"""Worst errors that are shown."""
MOST_COMPARED = 50
MOST_CONFUSIONS = 6
"""Confusion matrices of a comparison at most."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
N_COLORS = 7
"""Colours after which the next dash begins."""
METRICS: tuple[Metric, ...] = ("loss", "accuracy")


def run_html(store: Store, run_id: str) -> bytes:
    """Write a run's page as one HTML file of about 5 MB: figures, curves, errors with their images, network, configuration.

    What the run has not left (probabilities, history) is left out, and said so.

    Raises:
        UnknownRun: no run has this id.
    """
    run = store.run(run_id)
    past = store.history(run_id)
    found = _evaluated(store, run)
    sections = [] if found is None else _evaluation(store, run, *found)
    missing = (
        ""
        if found is not None
        else "This run has no stored test predictions, so there is no confusion matrix and no list of errors."
    )
    return page(
        title(run),
        paragraph(_about(run), look="quiet"),
        paragraph(run.reason, look="quiet"),
        paragraph(formatting.LEAK if run.config.leaks_test_set else "", look="warning"),
        section("Notes", paragraph(run.notes or "")),
        _headline(run),
        section(
            "Learning curves",
            side_by_side(*(_curves(run, past.epochs, past.steps, metric) for metric in METRICS)),
        )
        if len(past.epochs)
        else None,
        paragraph(missing, look="quiet"),
        *sections,
        section("Layers", _layers(run)),
        section("Epochs", _epochs(past.epochs), folded=True) if len(past.epochs) else None,
        section("Configuration", listing(run.config.model_dump_json(indent=2)), folded=True),
    )


def comparison_html(store: Store, run_ids: Sequence[str]) -> bytes:
    """Write a comparison of runs as one HTML file: metrics, curves, what differs in their settings, confusion matrices.

    Args:
        store: where they are.
        run_ids: two or more; named twice counts once.

    Raises:
        InvalidInput: fewer than two runs, or too many.
        UnknownRun: no run has one of these ids.
    """
    runs = [store.run(run_id) for run_id in dict.fromkeys(run_ids)]
    if not 2 <= len(runs) <= MOST_COMPARED:
        raise InvalidInput(
            f"{plural(len(runs), 'run')} cannot be compared (2 to {MOST_COMPARED}). Choose others."
        )
    epochs = {run.id: store.history(run.id).epochs for run in runs}
    leaks = [run.title for run in runs if run.config.leaks_test_set]
    confusions = [_small_confusion(store, run) for run in runs[:MOST_CONFUSIONS]]
    rest = (
        f"Those of the first {plural(MOST_CONFUSIONS, 'run')}."
        if len(runs) > MOST_CONFUSIONS
        else ""
    )
    return page(
        f"Comparison of {plural(len(runs), 'run')}",
        paragraph(
            f"These runs validate on the test set (a leak): {', '.join(leaks)}." if leaks else "",
            look="warning",
        ),
        section("Metrics", _runs_table(runs)),
        paragraph(
            "The intervals are Wilson's at 95 %. They cover the chance in the choice of test images, not that of the seed."
        ),
        section(
            "Validation", side_by_side(*(_overlay(runs, epochs, metric) for metric in METRICS))
        ),
        section(
            "Settings that differ",
            _differences(runs) or paragraph("These runs have the same configuration."),
        ),
        section(
            "Confusion matrices",
            paragraph(rest, look="quiet") if any(confusions) else None,
            side_by_side(*confusions),
        ),
    )


def title(run: Run) -> str:
    """Name a run."""
    return run.title


def _about(run: Run) -> str:
    state = f"{run.state}, {plural(run.epoch, 'epoch')} of {run.config.epochs}"
    return (
        f"Id {run.id}, configuration {run.config_hash}, {network_name(run.config)} on {run.config.dataset}, "
        f"{optimizer_name(run.config)}, seed {run.config.seed}: {state}. Submitted {formatting.moment(run.created_at)}."
    )


def _headline(run: Run) -> Part:
    low, high = _interval(run)
    figures = [
        (
            "Test accuracy",
            formatting.percent(run.test_accuracy),
            f"95 % interval {formatting.percent_range(low, high)}"
            if low is not None and high is not None
            else "",
        ),
        (
            "Best validation accuracy",
            formatting.percent(run.best_val_accuracy),
            f"after epoch {run.best_epoch}" if run.best_epoch else "",
        ),
        ("Parameters", f"{run.n_parameters:,}", plural(len(run.config.layers), "layer")),
        (
            "Training",
            formatting.duration(run.seconds_training),
            f"{run.device or 'no device'}, {run.precision or run.config.precision}",
        ),
    ]
    return headline(figures)


def _interval(run: Run) -> tuple[float | None, float | None]:
    if run.test_accuracy is None or not run.n_test:
        return None, None
    return wilson_interval(round(run.test_accuracy * run.n_test), run.n_test)


def _curves(run: Run, epochs: pd.DataFrame, steps: pd.DataFrame, metric: Metric) -> Part:
    lines = prepare_curves(
        epochs,
        steps,
        metric=metric,
        axis="epoch",
        steps_per_epoch=run.config.steps_per_epoch,
        leak=run.config.leaks_test_set,
    )
    figure = draw_curves(
        lines,
        metric=metric,
        options=CurveOptions(log_scale=metric == "loss"),
        best_epoch=run.best_epoch,
    )
    return chart(figure, alt=f"{metric} by epoch: training, validation, test")


def _evaluated(store: Store, run: Run) -> tuple[Labels, Probabilities] | None:
    """Read labels and stored probabilities of the test set; None where the run has left none that can be read."""
    try:
        probabilities = artifacts.read_probabilities(store, run.id, ArtifactKind.TEST_PROBABILITIES)
        labels = read_labels(run.config.dataset, "test", store.settings.data_dir)
    except (ArtifactError, DataError):
        return None
    return (labels, probabilities) if len(labels) == len(probabilities) else None


def _evaluation(
    store: Store, run: Run, labels: Labels, probabilities: Probabilities
) -> list[Part | None]:
    names = CLASS_NAMES[run.config.dataset]
    rows = [
        (name, f"{row.precision:.4f}", f"{row.recall:.4f}", f"{row.f1:.4f}", f"{row.support:,}")
        for name, row in zip(names, classification_report(labels, probabilities), strict=True)
    ]
    curve = calibration_curve(labels, probabilities)
    worst = ranked_images(labels, probabilities)[:N_WORST]
    images = read_images(run.config.dataset, "test", store.settings.data_dir)
    shown = [
        (
            data_uri(images[index]),
            (
                f"{names[labels[index]]} predicted as {names[place]}, "
                f"{formatting.percent(float(probabilities[index, place]))} confidence (image {index})"
            ),
        )
        for index, place in ((int(index), int(probabilities[index].argmax())) for index in worst)
    ]
    figures = ("Precision", "Recall", "F1", "Images")
    confusion = confusion_matrix(labels, probabilities).tolist()
    return [
        section(
            "On the test set",
            side_by_side(
                group(
                    chart(
                        draw_confusion(confusion, names),
                        alt=f"Confusion matrix on {len(labels):,} test images",
                        height=460,
                    ),
                    paragraph(
                        "Rows are true classes, columns predicted ones; cells are counts of images.",
                        look="quiet",
                    ),
                ),
                table(("Class", *figures), rows, numbers=figures),
            ),
        ),
        section(
            "Confidence and calibration",
            chart(draw_calibration(curve), alt="Accuracy by confidence"),
            paragraph(
                f"Expected calibration error {formatting.percent(curve.expected_error)}.",
                look="quiet",
            ),
        ),
        section(f"The {len(shown)} worst errors", pictures(shown)) if shown else None,
    ]


def _layers(run: Run) -> Part:
    rows = [
        (
            planned.name,
            planned.summary,
            format_shape(planned.output_shape),
            f"{planned.n_parameters:,}",
            planned.parameter_arithmetic,
        )
        for planned in run.config.plan
    ]
    return table(
        ("Layer", "Arguments", "Output", "Parameters", "Parameter calculation"),
        rows,
        numbers=("Parameters",),
    )


def _epochs(epochs: pd.DataFrame) -> Part:
    columns = [
        "epoch",
        *(f"{part}_{metric}" for part in ("train", "val", "test") for metric in METRICS),
        "learning_rate",
        "seconds_training",
    ]
    rows = [
        tuple(
            formatting.exact(float(value)) if name != "epoch" else f"{value:.0f}"
            for name, value in zip(columns, row, strict=True)
        )
        for row in epochs[columns].to_numpy()
    ]
    headings = [name.replace("_", " ") for name in columns]
    return table(headings, rows, numbers=headings)


def _short(run: Run) -> str:
    """Name a run in a legend; Plotly takes a little HTML there, so that it is escaped."""
    name = visible(run.title)
    return escaped_html(f"{name[:40]}{'…' if len(name) > 40 else ''} ({run.id})")


def _runs_table(runs: Sequence[Run]) -> Part:
    headings = (
        "Run",
        "Name",
        "State",
        "Test accuracy",
        "95 % interval",
        "Best validation",
        "Parameters",
        "Epochs",
        "Seed",
        "Training",
    )
    rows = []
    for run in runs:
        low, high = _interval(run)
        interval = (
            formatting.percent_range(low, high)
            if low is not None and high is not None
            else formatting.NOTHING
        )
        rows.append(
            (
                *(
                    run.id,
                    run.title,
                    run.state,
                    formatting.percent(run.test_accuracy),
                    interval,
                    formatting.percent(run.best_val_accuracy),
                ),
                *(
                    f"{run.n_parameters:,}",
                    run.epoch,
                    run.config.seed,
                    formatting.duration(run.seconds_training),
                ),
            )
        )
    return table(headings, rows, numbers=headings[3:])


def _overlay(runs: Sequence[Run], epochs: dict[str, pd.DataFrame], metric: Metric) -> Part:
    lines = [
        Curve(
            _short(run),
            place % N_COLORS,
            tuple(epochs[run.id]["epoch"].tolist()),
            tuple(epochs[run.id][f"val_{metric}"].tolist()),
            by_epoch=True,
            dash=DASHES[place // N_COLORS % len(DASHES)],
        )
        for place, run in enumerate(runs)
        if len(epochs[run.id])
    ]
    figure = draw_curves(lines, metric=metric, options=CurveOptions(log_scale=metric == "loss"))
    return chart(
        figure,
        alt=f"Validation {metric} of {plural(len(lines), 'run')} by epoch",
        height=380 + 12 * len(lines),
    )


def _differences(runs: Sequence[Run]) -> Part | None:
    """List the settings that are not the same in all runs; layers by what they are, in full where only their details differ."""
    layers = [[planned.summary for planned in run.config.plan] for run in runs]
    same_layers = all(own == layers[0] for own in layers)
    trees = [
        run.config.model_dump(mode="json", exclude=None if same_layers else {"layers"})
        for run in runs
    ]
    settings = [
        {path: "none" if value is None else str(value) for path, value in nested.leaves(tree)}
        for tree in trees
    ]
    if not same_layers:
        settings = [
            {f"layer {place}": what for place, what in enumerate(own, 1)} | rest
            for own, rest in zip(layers, settings, strict=True)
        ]
    rows = []
    for path in dict.fromkeys(itertools.chain.from_iterable(settings)):
        values = [own.get(path, formatting.NOTHING) for own in settings]
        if len(set(values)) > 1:
            rows.append((path, *values))
    return table(("Setting", *(run.title for run in runs)), rows) if rows else None


def _small_confusion(store: Store, run: Run) -> Part | None:
    found = _evaluated(store, run)
    if found is None:
        return None
    figure = draw_confusion(confusion_matrix(*found).tolist(), CLASS_NAMES[run.config.dataset])
    return group(
        paragraph(f"{title(run)} ({run.id})"),
        chart(figure, alt=f"Confusion matrix of {run.title} on the test set", height=400),
    )
