"""What is generated from the schema is current, complete, and says the same as the loader."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from mmload import plugins
from mmload.profile import load, reference
from mmload.profile.shape_keys import BUILT_IN

ROOT = Path(__file__).parents[2]
SHIPPED = (
    "smoke",
    "ramp",
    "burst",
    "sustained",
    "steps",
    "spike-recovery",
    "diurnal",
    "replay",
    "capacity",
    "chat",
)
KNOWN = {"shape": plugins.names("shapes"), "task": plugins.names("tasks"), "protocol": plugins.names("wire")}


def test_the_schema_file_is_current_run_docs_generate() -> None:
    written = (ROOT / "traffic_profiles" / "profile.schema.json").read_text()
    assert json.loads(written) == reference.json_schema()


def test_the_reference_page_is_current_run_docs_generate() -> None:
    assert (ROOT / "docs" / "profile-reference.md").read_text() == reference.markdown()


def test_every_key_on_the_page_has_a_meaning() -> None:
    rows = [line for line in reference.markdown().splitlines() if line.startswith("| `")]
    assert len(rows) > 120
    assert [row for row in rows if re.search(r"\|\s*\|$", row)] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_names_the_schema_first_and_satisfies_it_and_the_loader(name: str) -> None:
    file = ROOT / "traffic_profiles" / f"{name}.toml"
    text = file.read_text()
    assert text.startswith("#:schema ./profile.schema.json\n")
    jsonschema_rs.validate(reference.json_schema(), tomllib.loads(text))
    profile = load(file, known=KNOWN)
    assert profile.name == name
    assert profile.target.engine == "sim"
    assert profile.cost.as_of
    assert profile.gates.model_fields_set


def test_nothing_is_shipped_that_is_not_promised() -> None:
    assert {path.stem for path in (ROOT / "traffic_profiles").glob("*.toml")} == set(SHIPPED)


def test_the_schema_refuses_what_the_loader_refuses() -> None:
    data = tomllib.loads((ROOT / "traffic_profiles" / "burst.toml").read_text())
    data["phase"][0]["rmp"] = 5
    with pytest.raises(jsonschema_rs.ValidationError, match="rmp"):
        jsonschema_rs.validate(reference.json_schema(), data)


def test_every_built_in_shape_has_its_keys_declared() -> None:
    built_in = set(plugins.names("shapes"))
    assert built_in == set(BUILT_IN)
