from mnist_dash.api.functions import compare as compare
from mnist_dash.api.functions import run as run
from mnist_dash.api.functions import runs as runs
from mnist_dash.api.functions import studies as studies
from mnist_dash.api.functions import study as study
from mnist_dash.api.functions import train as train
from mnist_dash.api.store import open_store as open_store
from mnist_dash.core.config.run_config import RunConfig as RunConfig

__version__: str
__all__ = ["RunConfig", "compare", "open_store", "run", "runs", "studies", "study", "train"]
