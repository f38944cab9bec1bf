"""What changes while a run trains is part of its configuration: steered, forked, resumed or trained at once, the bits are the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_dash.core.config.changes import continued, describe, epoch_of, hash_until, with_change
from mnist_dash.core.config.run_config import (
    EarlyStopping,
    RunConfig,
    TailSplit,
    canonical_json,
    parse_config,
    with_overrides,
)
from mnist_dash.core.layers import Dense, Dropout, Flatten
from mnist_dash.core.optimizers import SGD, Adam
from mnist_dash.core.training.loop import train
from mnist_dash.core.training.reports import Checkpoint, EpochReport
from mnist_dash.core.training.schedules import learning_rate
from mnist_dash.errors import ArtifactError, InvalidConfig, InvalidInput

SMALL = RunConfig(
    layers=(Flatten(), Dense(units=16), Dropout(rate=0.25), Dense(units=10, activation="softmax")),
    split=TailSplit(fraction=0.9),
    batch_size=200,
    epochs=3,
)
COSINE = with_overrides(SMALL, [("schedule.kind", "cosine"), ("schedule.warmup_steps", 10)])


@dataclass
class Log:
    """What a training said."""

    weights: bytes = b""
    epochs: list[EpochReport] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)


def run(config: RunConfig, data_dir: Path, resume: bytes | None = None) -> Log:
    """Train and keep what was said."""
    log = Log()
    log.weights = train(
        config,
        data_dir=data_dir,
        resume=resume,
        on_step=lambda _: None,
        on_epoch=log.epochs.append,
        on_checkpoint=log.checkpoints.append,
        should_stop=lambda: False,
    ).weights
    return log


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that the tests of this file share."""
    return tmp_path_factory.mktemp("data")


CHANGES: dict[str, dict[str, object]] = {
    "rate": {"learning_rate": 1e-4},
    "batch": {"batch_size": 70},
    "dropout": {"dropout_rate": 0.5},
    "kind": {"optimizer": {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9}},
    "momentum": {
        "optimizer": {"kind": "adam", "learning_rate": 0.001, "beta_1": 0.5},
        "batch_size": 300,
    },
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "rate" else pytest.mark.slow) for name in CHANGES],
)
def test_a_fork_from_a_checkpoint_equals_its_configuration_trained_at_once(
    name: str, data_dir: Path
) -> None:
    """The parent's checkpoint leads to the bits of the changed configuration from the start, whose first epochs are the parent's."""
    base = (
        with_overrides(COSINE, [("precision", "bfloat16")]) if name in ("batch", "kind") else SMALL
    )
    values = CHANGES[name]
    parent, changed = run(base, data_dir), with_change(base, 1, values)
    whole = run(changed, data_dir)
    branch = run(changed, data_dir, parent.checkpoints[0].payload)
    again = run(changed, data_dir, whole.checkpoints[1].payload)
    assert whole.weights == branch.weights == again.weights != parent.weights
    losses = [[report.val_loss for report in log.epochs] for log in (parent, whole)]
    assert losses[0][0] == losses[1][0]
    assert losses[0][1] != losses[1][1]
    assert [report.step for report in whole.epochs] == [
        changed.steps_until(epoch) for epoch in (1, 2, 3)
    ]


@pytest.mark.parametrize("base", [SMALL, COSINE], ids=["constant", "cosine"])
def test_a_continued_run_equals_its_configuration_trained_at_once(
    base: RunConfig, data_dir: Path
) -> None:
    """Two more epochs from the last checkpoint are the bits of the longer configuration, whose first epochs are the shorter one's."""
    parent, longer = run(base, data_dir), continued(base, 3, 5)
    whole = run(longer, data_dir)
    assert run(longer, data_dir, parent.checkpoints[-1].payload).weights == whole.weights
    assert [report.val_loss for report in whole.epochs[:3]] == [
        report.val_loss for report in parent.epochs
    ]
    if base is COSINE:
        rates = [learning_rate(longer, step) for step in (29, 89, 90, 100)]
        assert rates == [
            pytest.approx(rate, abs=1e-6) for rate in (0.00076012, 0.0, 0.001 / 11, 0.000930777)
        ]


def test_a_checkpoint_is_refused_where_the_past_differs(data_dir: Path) -> None:
    """What changes later does not matter to a checkpoint; what was otherwise before does."""
    checkpoint = run(with_overrides(SMALL, [("epochs", 2)]), data_dir).checkpoints[1].payload
    with pytest.raises(ArtifactError, match="until epoch 2"):
        run(with_change(SMALL, 1, {"learning_rate": 0.01}), data_dir, checkpoint)
    with pytest.raises(ArtifactError, match="until epoch 2"):
        run(COSINE, data_dir, checkpoint)


def test_a_configuration_without_changes_keeps_its_hash() -> None:
    """Hashes from before changes existed still name the same configurations, and changes count."""
    assert "changes" not in canonical_json(RunConfig())
    assert RunConfig().hash == "2190b9e79028"
    changed = with_change(SMALL, 2, {"dropout_rate": 0.0})
    assert changed.hash != SMALL.hash
    assert parse_config(canonical_json(changed)) == changed
    assert hash_until(changed, 2) == hash_until(SMALL, 2) != hash_until(changed, 3)


sizes = st.none() | st.integers(1, 5000)
histories = st.dictionaries(st.integers(1, 11), st.tuples(sizes, st.booleans()), max_size=4)


@given(st.integers(1, 5000), histories)
def test_steps_are_counted_epoch_by_epoch(
    batch_size: int, history: dict[int, tuple[int | None, bool]]
) -> None:
    """The sums agree with the epochs one by one, each step belongs to the epoch that it is in, and rates stay within bounds."""
    config = RunConfig(batch_size=batch_size, epochs=12, schedule={"kind": "one_cycle"})
    for after_epoch, (size, restart) in sorted(history.items()):
        if size is not None or restart:
            config = with_change(
                config, after_epoch, {"batch_size": size, "restart_schedule": restart}
            )
    sums = [config.steps_until(epoch) for epoch in range(13)]
    assert sums[0] == 0
    assert [later - former for former, later in pairwise(sums)] == [
        config.at(epoch).steps_per_epoch for epoch in range(1, 13)
    ]
    assert config.n_steps == sums[-1]
    for epoch in range(1, 13):
        assert (epoch_of(config, sums[epoch - 1]), epoch_of(config, sums[epoch] - 1)) == (
            epoch,
            epoch,
        )
        assert (
            0
            <= learning_rate(config, sums[epoch] - 1)
            <= config.optimizer.learning_rate * (1 + 1e-12)
        )


def test_changes_of_one_epoch_are_joined() -> None:
    """A second change after the same epoch adds to the first; a rate goes into an optimizer that was changed with it."""
    config = with_change(
        with_change(SMALL, 2, {"batch_size": 50}),
        2,
        {"optimizer": SGD(learning_rate=0.1).model_dump()},
    )
    config = with_change(with_change(config, 2, {"learning_rate": 0.3}), 1, {"dropout_rate": 0.1})
    assert [change.after_epoch for change in config.changes] == [1, 2]
    assert (config.at(3).batch_size, config.at(3).optimizer) == (50, SGD(learning_rate=0.3))
    assert (config.at(2).optimizer, config.at(2).layers[2], config.at(1).layers[2]) == (
        Adam(),
        Dropout(rate=0.1),
        Dropout(rate=0.25),
    )
    assert (
        describe(config, config.changes[1])
        == "optimizer adam 0.001 → sgd 0.3, from fresh state, batch size 200 → 50"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"after_epoch": 3, "learning_rate": 0.1}, "3 is too late in a run of 3 epochs"),
        ({"after_epoch": 0, "learning_rate": 0.1}, "after_epoch: 0 is too small"),
        ({"after_epoch": 1}, "changes nothing"),
        ({"after_epoch": 1, "learning_rate": 0}, "above 0"),
        ({"after_epoch": 1, "batch_size": 7000}, "more than the training part has"),
        (
            {"after_epoch": 1, "learning_rate": 0.1, "optimizer": {"kind": "sgd"}},
            "given twice: here and by the optimizer",
        ),
    ],
)
def test_an_impossible_change_names_the_rule(change: dict[str, object], said: str) -> None:
    """Each rule of a change is said with its place."""
    with pytest.raises(InvalidConfig) as caught:
        parse_config(SMALL.model_dump() | {"changes": [change]})
    assert said in str(caught.value)


def test_a_network_without_dropout_has_no_rate_to_change() -> None:
    """A dropout rate needs a dropout layer."""
    with pytest.raises(InvalidConfig, match="the network has no dropout layer"):
        with_change(RunConfig(), 1, {"dropout_rate": 0.1})


def test_continuing_needs_more_epochs_and_patience() -> None:
    """Fewer epochs than there are, or a planned schedule cut short, are refused; early stopping waits for the new epochs."""
    with pytest.raises(InvalidInput, match="at least 4"):
        continued(SMALL, 3, 3)
    with pytest.raises(InvalidInput, match="at least 3"):
        continued(COSINE, 1, 2)
    patient = SMALL.model_copy(update={"early_stopping": EarlyStopping(patience=1)})
    assert continued(patient, 2, 8, waited=1).early_stopping == EarlyStopping(patience=7)
