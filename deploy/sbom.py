"""A software bill of materials of what a run needs: CycloneDX 1.5 (JSON) from ``requirements.lock``.

``python deploy/sbom.py > sbom.json``. Every package with its version, its purl and the hashes that pip holds
it to; no registry is asked.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(?:\s*;\s*([^\\]+))?")


def components(lock: str) -> list[dict[str, Any]]:
    """One entry a pin, in the order of the lock file. Raises ``ValueError`` for a pin without a hash."""
    found: list[dict[str, Any]] = []
    for entry in re.split(r"\n(?=[A-Za-z0-9])", lock):
        pin = _PIN.match(entry)
        if pin is None:
            continue
        name, version = pin[1].lower(), pin[2]
        hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)
        if not hashes:
            raise ValueError(f"{name}=={version} has no hash")
        purl = f"pkg:pypi/{name}@{version}"
        one = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        one["hashes"] = [{"alg": "SHA-256", "content": h} for h in hashes]
        if pin[3]:
            one["properties"] = [{"name": "marker", "value": pin[3].strip()}]
        found.append(one)
    return found


def bill(lock: str, version: str) -> dict[str, Any]:
    """The whole document."""
    root = {"type": "application", "bom-ref": "mmload", "name": "mmload", "version": version}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": root},
        "components": components(lock),
    }


if __name__ == "__main__":
    stated = re.search(r'__version__ = "([^"]+)"', (ROOT / "mmload" / "__init__.py").read_text())
    assert stated is not None
    json.dump(bill((ROOT / "requirements.lock").read_text(), stated[1]), sys.stdout, indent=1)
    sys.stdout.write("\n")
