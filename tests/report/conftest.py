"""The sample run of this folder, written once."""

import json
import subprocess
from pathlib import Path

import pytest

from mmload import report
from mmload.report.measured import Measured
from tests.report import sample

NODE = Path(__file__).parents[1] / "node"
ENVIRONMENT = {"versions": {"mmload": "0.1.0", "locust": "2.47.0"}, "machine": {"cpus": 2, "kernel": "6.18"}}


@pytest.fixture(scope="session")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    sample.draw_images(folder)
    return folder


@pytest.fixture(scope="session")
def measured(suite):
    figures, series = sample.figures_and_series()
    return Measured(figures, series, sample.profile(), sample.run_info(str(suite)), ENVIRONMENT)


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory, measured):
    folder = tmp_path_factory.mktemp("run")
    report.write(
        folder,
        measured.figures,
        measured.series,
        profile=measured.profile,
        run_info=measured.run_info,
        environment=measured.environment,
    )
    return folder


@pytest.fixture(scope="session")
def browser():
    if not (NODE / "node_modules" / "playwright-core").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=NODE, check=True, timeout=240)

    # One browser for all pages; each has a context of its own.
    with subprocess.Popen(
        ["node", str(NODE / "page.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def open_page(path, **options):
            process.stdin.write(json.dumps({"file": str(path), **options}) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            assert answer, "the browser has ended; its last words are above"
            found = json.loads(answer)
            assert "broken" not in found, found["broken"]
            return found

        yield open_page
        process.stdin.close()
