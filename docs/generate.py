"""Writes what is generated from code: ``python docs/generate.py``."""

import json
from pathlib import Path

from mmload.profile import reference

ROOT = Path(__file__).parent.parent

if __name__ == "__main__":
    (ROOT / "traffic_profiles" / "profile.schema.json").write_text(json.dumps(reference.json_schema(), indent=2) + "\n")
    (ROOT / "docs" / "profile-reference.md").write_text(reference.markdown())
