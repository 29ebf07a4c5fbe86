"""Two rooms, one corridor: a process that sends never loads aiohttp, one that judges never loads gevent."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import synthetic_run

LOADED = "import json, sys; sys.stdout.write(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"


def loaded_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{LOADED}"], capture_output=True, text=True, timeout=120, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_a_report_is_written_without_gevent_locust_or_aiohttp(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    synthetic_run(folder)
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from synthetic import make_items
from mmload.launch.finish import finish
from mmload.summary import RunReader
finish(Path({str(folder)!r}), reader=RunReader(Path({str(folder)!r}), lambda _: make_items(60)))
"""
    modules = loaded_after(code)
    assert "matplotlib" in modules and "pyarrow" in modules
    assert not modules & {"gevent", "locust", "geventhttpclient", "aiohttp"}


@pytest.mark.parametrize("module", ["mmload.drive.worker", "mmload.drive.master", "mmload.drive.locustfile"])
def test_what_sends_never_loads_aiohttp_matplotlib_or_the_scorers_process(module: str) -> None:
    modules = loaded_after(f"import {module}")
    assert {"gevent", "locust"} <= modules
    assert not modules & {"aiohttp", "matplotlib", "pyarrow", "prometheus_client"}


@pytest.mark.parametrize(
    "module",
    ["mmload.serve.app", "mmload.grade.__main__", "mmload.judge.__main__", "mmload.launch", "mmload.cli"],
)
def test_what_serves_scores_or_launches_is_never_patched(module: str) -> None:
    assert not loaded_after(f"import {module}") & {"gevent", "locust"}
