"""MNIST Dash from Python: what a notebook calls. `mnist_dash` itself gives these names, each imported when it is first used."""

import warnings

warnings.filterwarnings(
    "ignore", message="IProgress not found"
)  # Optuna imports tqdm, which wants widgets; our bars need none
