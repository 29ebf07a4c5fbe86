"""Everything that people and other programs see of a run: html, markdown, junit, plots, parquet, live.

Not aware of how anything was measured. Heavy libraries are imported by the module that needs them, so
that the live view costs a starting run nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmload.profile import Profile


def write(
    run_dir: Path,
    figures: Mapping[str, Any],
    series: Mapping[str, Any],
    *,
    profile: Profile,
    run_info: Mapping[str, Any],
    environment: Mapping[str, Any],
    secrets: Sequence[str] = (),
) -> list[Path]:
    """Write report.html, report.md, junit.xml, summary.json and plots/; see ``folder.write``."""
    from mmload.report.folder import write as write_now

    return write_now(
        run_dir, figures, series, profile=profile, run_info=run_info, environment=environment, secrets=secrets
    )
