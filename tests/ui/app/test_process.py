"""What the server's process loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.ui.conftest import ROOT

PROGRAM = """
import sys
from streamlit.testing.v1 import AppTest

app = AppTest.from_file("mnist_dash/ui/entry/pages.py", default_timeout=240).run()
for name in ("runs", "run", "data", "draw", "system"):
    app.switch_page(f"../pages/{name}/{name}.py").run()
    assert not app.exception, name
import mnist_dash.core.analysis.evaluation

print(sorted(name for name in ("torch", "torchvision", "optuna") if name in sys.modules))
"""


def test_pages_load_no_torch(tmp_path: Path) -> None:
    """A page is there at once: what trains is loaded by the processes that train."""
    environment = os.environ | {"MNIST_DASH_HOME": str(tmp_path), "MNIST_DASH_WORKERS": "0"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
