"""Open files are taken as far as the system allows, and what does not suffice is said before the run."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import Any

import pytest

from mmload.launch.limits import shortage
from mmload.profile import Phase, Profile

SHOWN = (
    "import resource, mmload.launch.limits as l; l.settle(); "
    "print(*resource.getrlimit(resource.RLIMIT_NOFILE), *resource.getrlimit(resource.RLIMIT_CORE))"
)


@pytest.mark.parametrize(
    ("before", "after"), [("ulimit -Sn 100; ulimit -Hn 4096", "4096 4096"), ("ulimit -n 90", "90 90")]
)
def test_the_soft_limit_of_open_files_goes_up_to_the_hard_one_and_no_core_is_dumped(
    before: str, after: str
) -> None:
    script = f"ulimit -c unlimited 2>/dev/null; {before}; {sys.executable} -c '{SHOWN}'"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    files, core = done.stdout.split()[:2], done.stdout.split()[2]
    assert (" ".join(files), core) == (after, "0")


def profile(**target: Any) -> Profile:
    workers = target.pop("workers", 1)
    phase = Phase(name="p", shape="sustained", duration_s=60, rpm=60)
    return Profile.model_validate({"name": "p", "workers": workers, "target": target, "phase": [phase]})


def test_what_does_not_suffice_is_said_with_the_key_and_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    url = {"url": "http://127.0.0.1:1/v1"}
    said = shortage(profile(**url, max_in_flight=5000))
    assert "target.max_in_flight = 5000 needs 5,064 open files" in said and "1,024" in said
    assert "ulimit -n" in said
    assert shortage(profile(**url, max_in_flight=5000, workers=8)) == ""
    assert shortage(profile(engine="sim", max_in_flight=5000, workers=8)) != ""
    assert shortage(profile(**url, max_in_flight=900)) == ""
