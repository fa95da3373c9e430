"""ONNX Runtime as the label fleet uses it."""

import os
import subprocess
import sys
from pathlib import Path


def test_it_leaves_and_sends_no_traces_of_what_it_runs(tmp_path: Path) -> None:
    # What it reports to its makers it first writes below the home folder and the one for temporary files; it says
    # nothing where CI is set, either.
    places = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}

    subprocess.run([sys.executable, "-c", "import workers.label.onnx_engine"], env=environment | places, check=True)

    assert list(tmp_path.iterdir()) == []
