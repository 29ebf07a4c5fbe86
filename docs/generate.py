"""Writes what is generated from code: ``python docs/generate.py``."""

import json
from pathlib import Path

from mmload.profile import reference
from mmload.report import reference as results

ROOT = Path(__file__).parent.parent
MADE = {
    "traffic_profiles/profile.schema.json": lambda: json.dumps(reference.json_schema(), indent=2) + "\n",
    "docs/profile-reference.md": reference.markdown,
    "docs/summary.schema.json": lambda: json.dumps(results.json_schema(), indent=1) + "\n",
    "docs/summary-reference.md": results.summary_page,
    "docs/error-kinds.md": results.errors_page,
}

if __name__ == "__main__":
    for name, make in MADE.items():
        (ROOT / name).write_text(make())
