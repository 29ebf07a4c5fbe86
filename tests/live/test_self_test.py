"""``mmload doctor PROFILE --self-test``: what rate this machine can offer, by trying."""

import json
import subprocess
from pathlib import Path

import pytest
from whole_runs import TINY, command

pytestmark = pytest.mark.live


def test_the_self_test_sends_the_profiles_own_requests_and_says_what_rate_is_possible(tmp_path: Path) -> None:
    profile = tmp_path / "p.toml"
    profile.write_text(TINY + '[[phase]]\nname = "p"\nshape = "sustained"\nduration_s = 60\nrpm = 600\n')
    ran = subprocess.run(
        command("doctor", str(profile), "--self-test", "--json"), capture_output=True, text=True, timeout=90
    )
    findings = {f["name"]: f for f in json.loads(ran.stdout)["findings"]}
    rate = findings["offered rate"]
    assert rate["status"] == "ok", rate
    assert "at its peak of 600 rpm 100.0% left" in rate["found"]


def test_a_self_test_without_a_profile_is_bad_usage() -> None:
    ran = subprocess.run(command("doctor", "--self-test"), capture_output=True, text=True, timeout=30)
    assert ran.returncode == 2 and "needs a PROFILE" in ran.stderr
