"""What `train` makes of its arguments: every broken rule is a sentence, exit code 2, and nothing queued."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from mnist_dash.cli import main
from mnist_dash.cli.runs.train import MAX_CONFIG_BYTES, read_configuration
from mnist_dash.core.config.presets import PRESETS
from mnist_dash.core.config.run_config import RunConfig
from mnist_dash.core.data.archives import MNIST_ARCHIVES, mnist_folder
from mnist_dash.core.hardware.devices import n_cuda_devices
from mnist_dash.runs.store.run_store import Store
from mnist_dash.settings import Settings
from tests.cli.interface import parse


def _read(*arguments: str) -> RunConfig:
    options = parse(["train", *arguments]).params
    return read_configuration(
        preset=options["preset"], config=options["config"], changes=options["changes"]
    )


def test_first_preset_is_the_default() -> None:
    """Without a choice the first preset is trained."""
    assert _read() == next(iter(PRESETS.values())).config


def test_overrides_change_single_fields() -> None:
    """Each --set changes its own path and leaves the rest."""
    config = _read(
        "--preset",
        "mlp_512_256",
        "--set",
        "epochs=8",
        "--set",
        "optimizer.learning_rate=0.01",
        "--set",
        "layers.1.units=64",
    )
    assert (
        config.epochs,
        config.optimizer.learning_rate,
        config.layers[1].model_dump()["units"],
    ) == (8, 0.01, 64)
    assert config.scaling == "minmax"


def test_printed_preset_is_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `presets NAME` prints is the file that --config takes."""
    for name, ready in PRESETS.items():
        assert main(["presets", name]) == 0
        file = tmp_path / f"{name}.json"
        file.write_text(capsys.readouterr().out)
        assert _read("--config", str(file)) == ready.config


def test_configuration_comes_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash reads the configuration from standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"epochs": 3}')))
    assert _read("--config", "-").epochs == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "epochs=1000000000"], ["epochs", "1 to 10,000", "1000000000"]),
        (["--set", "layers.1.units=-1"], ["layers.1.units", "1 to 8,192", "-1"]),
        (["--set", "optimizer.learning_rate=nan"], ["optimizer.learning_rate", "finite", "nan"]),
        (["--set", "batch_size=60000"], ["batch_size", "50,000", "60,000"]),
        (["--set", "layers.1.kind=transformer"], ["layers.1.kind", "transformer", "dense"]),
        (["--set", "learning_rate=0.1"], ["learning_rate", "optimizer"]),
        (["--set", "epochs"], ["--set", "KEY=VALUE", "'epochs'"]),
        (["--set", "=3"], ["--set", "KEY=VALUE"]),
        (
            [
                "--set",
                'layers.0={"kind": "conv", "kernel": 28}',
                "--set",
                'layers.1={"kind": "max_pool"}',
            ],
            ["layers.1", "1 x 1"],
        ),
        (["--preset", "mlp_512"], ["mlp_512", "Did you mean mlp_512_256"]),
        (["--config", "nowhere.json"], ["--config", "nowhere.json", "Give the path"]),
    ],
)
def test_broken_rule_is_named_and_nothing_queued(
    arguments: list[str], words: list[str], store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence has field, rule, value and remedy; standard output stays empty for programs."""
    assert main(["train", "--json", *arguments]) == 2
    said = capsys.readouterr()
    assert [word for word in words if word not in said.err] == []
    assert "Traceback" not in said.err
    assert said.out == ""
    assert store.count() == 0


@pytest.mark.skipif(
    n_cuda_devices() > 0, reason="this machine has what the test wants to be missing"
)
def test_missing_cuda_is_refused(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """CUDA where there is none is refused, not replaced by the CPU."""
    assert main(["train", "--set", "device=cuda"]) == 2
    assert "device: there is no CUDA device" in capsys.readouterr().err
    assert store.count() == 0


def test_all_broken_rules_are_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Three mistakes are three lines."""
    assert main(["train", "--set", "epochs=0", "--set", "batch_size=0", "--set", "seed=-1"]) == 2
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == [
        "batch_size",
        "epochs",
        "seed",
    ]


@pytest.mark.parametrize(
    "content",
    [b"{", b"\xff\xfe\x00", b"[1, 2]", b"{}" + b" " * MAX_CONFIG_BYTES, b'{"epochs": 1e99}'],
)
def test_damaged_file_is_refused(
    content: bytes, tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is no configuration is refused with a sentence."""
    file = tmp_path / "mine.json"
    file.write_bytes(content)
    assert main(["train", "--config", str(file)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert store.count() == 0


def test_damaged_archive_is_named_before_queueing(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged archive is refused with its name, both hashes and the remedy."""
    folder = mnist_folder(store.settings.data_dir)
    folder.mkdir(parents=True)
    (folder / f"{MNIST_ARCHIVES[0].name}.gz").write_bytes(b"not an archive")
    assert main(["train"]) == 2
    said = capsys.readouterr().err
    assert MNIST_ARCHIVES[0].md5_packed in said
    assert "Delete this file" in said
    assert store.count() == 0


def test_unusable_database_is_named(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no database is refused, and left as it is."""
    own_home.mkdir()
    file = own_home / "mnist_dash.db"
    file.write_bytes(b"these are my holiday photographs" * 100)
    before = file.read_bytes()
    assert main(["train", "--json"]) == 2
    assert str(file) in capsys.readouterr().err
    assert file.read_bytes() == before


def test_setting_out_of_bounds_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An environment variable that is no number is named with its rule."""
    monkeypatch.setenv("MNIST_DASH_THREADS", "lots")
    assert main(["runs"]) == 2
    assert "MNIST_DASH_THREADS" in capsys.readouterr().err


def test_json_of_a_preset_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    """Every field stands in the printed configuration, defaults included."""
    main(["presets", "cnn_9_9_16"])
    assert set(json.loads(capsys.readouterr().out)) == set(RunConfig.model_fields)


def test_settings_come_from_the_environment(own_home: Path) -> None:
    """Commands use the home that the environment names."""
    assert Settings.from_environment().home == own_home
