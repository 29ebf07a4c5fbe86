"""Compiles mmload/native.c for the package; without a C compiler its twins in Python serve.

``python hatch_build.py`` compiles it where it stands, or fails.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

SOURCE, MADE = "mmload/native.c", "mmload/_native.abi3.so"


def compile_native(root: Path, *more: str) -> None:
    """Raises ``OSError`` or ``subprocess.CalledProcessError`` where it cannot be compiled."""
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wno-unused-parameter", "-fPIC", "-shared"]
    include = f"-I{sysconfig.get_path('include')}"
    try:
        _run([compiler, *flags, *more, include, SOURCE, "-o", MADE], root)
    except FileNotFoundError:
        _run(["cc", *flags, *more, include, SOURCE, "-o", MADE], root)


def _run(command: list[str], root: Path) -> None:
    subprocess.run(command, cwd=root, check=True, stderr=subprocess.PIPE, text=True)


if __name__ == "__main__":
    try:
        compile_native(Path(__file__).parent, *sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.stderr)
else:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class Native(BuildHookInterface):  # type: ignore[type-arg] # no build configuration of its own
        """Hatchling's hook before the wheel is put together."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            try:
                compile_native(Path(self.root))
            except (OSError, subprocess.CalledProcessError) as error:
                (Path(self.root) / MADE).unlink(missing_ok=True)
                detail = getattr(error, "stderr", "") or error
                self.app.display_warning(f"without {SOURCE}, at half the rate: {detail}")
                return
            build_data["artifacts"].append(MADE)
            build_data["pure_python"] = False
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"cp311-abi3-{platform}"
