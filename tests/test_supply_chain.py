"""What is locked, by what hash, and why it is there."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-fuzz.lock")


def pins(lock: str) -> list[str]:
    return re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / lock).read_text(), re.M)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash_and_no_registry_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", text)
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry)
    assert pins(lock) and "://" not in text and "index-url" not in text


def test_the_bill_of_materials_names_every_pin_with_its_hashes() -> None:
    made = runpy.run_path(str(ROOT / "deploy" / "sbom.py"))["bill"]
    bill = made((ROOT / "requirements.lock").read_text(), "1.2.3")
    assert [c["name"] for c in bill["components"]] == [p.lower() for p in pins("requirements.lock")]
    for one in bill["components"]:
        assert one["hashes"] and one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}"
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")


def test_every_direct_dependency_is_justified_in_the_docs_and_nothing_else_is() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct = {re.split(r"[><=\[;]", d)[0] for d in project["dependencies"]}
    page = (ROOT / "docs" / "reliability.md").read_text()
    table = page[page.index("## Dependencies") :]
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.M)) == direct
