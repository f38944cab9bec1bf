from mnist_dash.api.functions import compare as compare
from mnist_dash.api.functions import load_data as load_data
from mnist_dash.api.functions import run as run
from mnist_dash.api.functions import runs as runs
from mnist_dash.api.functions import studies as studies
from mnist_dash.api.functions import study as study
from mnist_dash.api.functions import train as train
from mnist_dash.api.store import open_store as open_store
from mnist_dash.core.config.run_config import RunConfig as RunConfig
from mnist_dash.errors import MnistDashError as MnistDashError

__version__: str
__all__ = [
    "MnistDashError",
    "RunConfig",
    "compare",
    "load_data",
    "open_store",
    "run",
    "runs",
    "studies",
    "study",
    "train",
]
