"""The program as a whole: its verbs, its exit codes, and what it never does."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from mmload import cli
from mmload.model import InputError, MmloadError

from .conftest import Run

ROOT = Path(__file__).parents[2]
VERBS = cli.program.list_commands(click.Context(cli.program))


def in_process_of_its_own(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_help_loads_nothing_that_is_slow() -> None:
    script = (
        "import sys; from mmload.cli import run_program; run_program(['--help']);"
        "slow = {'numpy', 'pydantic', 'locust', 'gevent', 'aiohttp', 'matplotlib', 'PIL', 'rich', 'pyarrow'};"
        "sys.exit(','.join(slow & set(sys.modules)) or 0)"
    )
    ended = in_process_of_its_own("-c", script)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert all(verb in ended.stdout for verb in VERBS)


def test_python_m_mmload_is_the_same_program() -> None:
    ended = in_process_of_its_own("-m", "mmload", "--version")
    assert ended.returncode == 0
    assert ended.stdout.startswith("mmload, version ")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example_and_a_line_in_the_list(mmload: Run, verb: str) -> None:
    ended = mmload(verb, "--help")
    assert ended.code == 0
    assert f"Example: mmload {verb}" in " ".join(ended.out.split())
    listed = mmload("--help").out
    assert f"\n  {verb} " in listed


@pytest.mark.parametrize("verb", ["build", "verify", "preview"])
def test_every_verb_of_fixtures_has_help_with_an_example(mmload: Run, verb: str) -> None:
    ended = mmload("fixtures", verb, "--help")
    assert f"Example: mmload fixtures {verb}" in " ".join(ended.out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chek"], 'No verb "chek". Did you mean "check"?'),
        (["xyzzy"], 'No verb "xyzzy". There are: '),
        (["check"], "Missing argument 'PROFILE'"),
        (["check", "x", "--jsn"], "--json"),
        (["check", "x", "--seed", "one"], "'--seed': 'one' is no whole number of at least 0."),
        (["check", "x", "--workers", "abc"], "'--workers': 'abc' is no whole number from 1 to 256."),
        (["run", "x", "--workers", "0"], "'--workers': 0 is no whole number from 1 to 256."),
        (["run", "x", "--metrics-linger", "nan"], "'--metrics-linger': 'nan' is no number of at least 0."),
        (["check", "x", "--answer-s", "0"], "'--answer-s': 0.0 is no number above 0."),
        (["check", "/nowhere/x.toml"], "mmload: /nowhere/x.toml: no such profile"),
    ],
)
def test_bad_usage_is_one_message_on_stderr_and_exit_code_2(
    mmload: Run, arguments: list[str], message: str
) -> None:
    ended = mmload(*arguments)
    assert ended.code == 2
    assert message in ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A verb that fails in the way that the test wants."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def make(error: BaseException) -> None:
        @click.command()
        def check() -> None:
            raise error

        monkeypatch.setattr(cli.Verbs, "get_command", lambda *_: check)

    return make


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("x.toml: bad"), 2, "mmload: x.toml: bad\n"),
        (MmloadError("disk full"), 1, "mmload: disk full\n"),
        (KeyboardInterrupt(), 130, "mmload: interrupted\n"),
        (BrokenPipeError(), 1, ""),
        (PermissionError(errno.EACCES, "Permission denied", "ro/x"), 2, "mmload: ro/x: Permission denied\n"),
    ],
)
def test_every_ending_has_its_exit_code(
    mmload: Run, broken: Any, error: BaseException, code: int, said: str
) -> None:
    broken(error)
    stdout = sys.stdout
    ended = mmload("check")
    sys.stdout = stdout
    assert (ended.code, ended.err.lstrip("\n")) == (code, said)


def test_an_unforeseen_error_is_one_line_that_says_where_its_details_are(
    mmload: Run, broken: Any, tmp_path: Path
) -> None:
    broken(ZeroDivisionError("by zero"))
    ended = mmload("check")
    assert ended.code == 1
    assert ended.err.startswith(
        "mmload: ZeroDivisionError: by zero (this is a fault of mmload; details are in "
    )
    assert len(ended.err.splitlines()) == 1
    (details,) = tmp_path.glob("mmload-error-*.txt")
    assert str(details) in ended.err
    assert "Traceback" in details.read_text()


def test_completion_offers_verbs(mmload: Run) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_MMLOAD_COMPLETE" in mmload("completion", shell).out
    environment = {"_MMLOAD_COMPLETE": "bash_complete", "COMP_WORDS": "mmload ch", "COMP_CWORD": "1"}
    ended = in_process_of_its_own("-m", "mmload", **environment)
    assert "plain,check" in ended.stdout


@pytest.mark.parametrize(
    "verb", [["report"], ["rescore"], ["reprice", "--prices", "p.toml"]], ids=lambda v: v[0]
)
def test_a_folder_that_is_not_there_is_named_with_the_one_that_may_be_meant(
    mmload: Run, tmp_path: Path, verb: list[str]
) -> None:
    folder = tmp_path / "reports" / "burst-1"
    folder.mkdir(parents=True)
    (folder / "report.html").touch()
    wrong = folder.with_name("burts-1")
    assert mmload(*verb, wrong).err == f"mmload: {wrong}: no such folder; did you mean {folder}?\n"
    ended = mmload(*verb, folder / "report.html")
    assert ended.code == 2 and ended.err.endswith(
        f"a file, not the folder of a run; did you mean {folder}?\n"
    )
    assert "no run of mmload" in mmload("report", folder).err


@pytest.mark.parametrize(
    ("verb", "key", "message"),
    [
        (["capacity"], "target.url=http://127.0.0.1:9/v1", "nobody listens there"),
        (
            ["capacity", "--set", "target.url=http://127.0.0.1:9/v1"],
            "target.api_key_env=MMLOAD_TEST_NO_KEY",
            "MMLOAD_TEST_NO_KEY is not set",
        ),
        (
            ["compare", "--candidate", "a", "--candidate"],
            "b:target.url=http://127.0.0.1:9/v1",
            "--candidate b: ",
        ),
    ],
)
def test_who_drives_several_runs_looks_for_targets_and_keys_before_the_first(
    mmload: Run, small: Path, tmp_path: Path, verb: list[str], key: str, message: str
) -> None:
    out = tmp_path / "out"
    change = [key] if verb[0] == "compare" else ["--set", key]
    ended = mmload(*verb, *change, small, "--out", out)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert not out.exists()


@pytest.mark.parametrize("where", ["", "file/b.json", "no/such/b.json"])
def test_a_baseline_that_could_not_be_written_is_refused_before_the_run(
    mmload: Run, small: Path, tmp_path: Path, where: str
) -> None:
    (tmp_path / "file").touch()
    ended = mmload("run", small, "--out", tmp_path / "out", "--save-baseline", tmp_path / where)
    assert (ended.code, ended.out) == (2, "")
    assert "--save-baseline" in ended.err and "cannot be written" in ended.err
    assert not (tmp_path / "out").exists()
