"""A finished run as pandas frames, for notebooks: ``mmload.load_run(path)``.

Reads what the run folder holds and measures nothing anew. Needs ``mmload[notebook]``; frames are read when
they are first asked for.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mmload.model import InputError

if TYPE_CHECKING:
    import pandas as pd

_PERCENTILES: Final = ("p50", "p90", "p95", "p99", "p999")


def load_run(path: str | Path) -> Run:
    """The run in the folder ``path``. Raises ``InputError`` if there is none, or pandas is missing."""
    folder = Path(path)
    try:
        import pandas  # noqa: F401
    except ImportError:
        raise InputError("mmload.load_run needs more packages: pip install 'mmload[notebook]'") from None
    try:
        summary = json.loads((folder / "summary.json").read_text("utf-8"))
    except OSError as e:
        raise InputError(
            f"{folder}: no finished run of mmload ({e.strerror}: summary.json); "
            "`mmload report` makes one of a run that was cut short"
        ) from None
    except ValueError as e:
        raise InputError(f"{folder / 'summary.json'}: no JSON ({e})") from None
    return Run(folder, summary)


class Run:
    """One run. Columns end in their unit; what was not measured is NaN or None."""

    def __init__(self, path: Path, summary: dict[str, Any]) -> None:
        self.path = path
        self.summary = summary
        """``summary.json`` as it is."""

    def __repr__(self) -> str:
        run = self.summary["run"]
        return f"<Run {run['id']}: {self.verdict}, {self.summary['counts']['planned']} requests>"

    @property
    def verdict(self) -> str:
        """``go``, ``no-go``, ``inconclusive`` or ``invalid``."""
        return str(self.summary["verdict"])

    @cached_property
    def requests(self) -> pd.DataFrame:
        """One row per planned request, indexed by ``seq``; ``due_s`` is the due time from the run's start."""
        import pandas as pd

        found = pd.read_parquet(self.path / "requests.parquet").set_index("seq").sort_index()
        found.insert(0, "due_s", found["due_ns"] / 1e9)
        return found

    @cached_property
    def gates(self) -> pd.DataFrame:
        """One row per gate: limit, value, low, high, verdict, reason."""
        return _table(self.summary["gates"], "name")

    @cached_property
    def levels(self) -> pd.DataFrame:
        """One row per load level: rpm, quality with its interval, p95, errors, cost, what gave way."""
        return _table(self.summary["throughput"]["levels"], "name")

    @cached_property
    def phases(self) -> pd.DataFrame:
        """One row per phase; nested figures have dotted names (``latency_ms.e2e.p95``)."""
        import pandas as pd

        return pd.json_normalize(self.summary["phases"]).set_index("name")

    @cached_property
    def latency(self) -> pd.DataFrame:
        """Milliseconds: rows e2e, service, ttft, inter_token; a percentile that is not certified is NaN."""
        import pandas as pd

        columns = ["n", "mean", *_PERCENTILES, "max"]
        found = {name: [row.get(c) for c in columns] for name, row in self.summary["latency_ms"].items()}
        return pd.DataFrame.from_dict(found, orient="index", columns=columns).astype(float)

    @cached_property
    def answers(self) -> pd.DataFrame:
        """Sampled answers with their scores, indexed by ``seq``; of a score ``score.value`` and so on."""
        import pandas as pd

        lines = (self.path / "answers" / "answers.jsonl").read_text("utf-8").splitlines()
        found = pd.json_normalize([json.loads(line) for line in lines], max_level=1)
        return found.set_index("seq") if len(found) else found

    def over_time(self, step_s: float = 1.0) -> pd.DataFrame:
        """Requests by due time in steps of ``step_s`` seconds: ``planned, ok, failed, shed, not_sent``,
        ``e2e_p50_ms, e2e_p95_ms`` (of answers that arrived, for the eye: no step certifies a percentile) and
        ``quality`` (share of scored answers that passed)."""
        import pandas as pd

        rows = self.requests
        step = ((rows["due_s"] // step_s) * step_s).rename("t_s")
        outcomes = pd.crosstab(step, rows["outcome"]).reindex(
            columns=["ok", "failed", "shed", "not_sent"], fill_value=0
        )
        ok = rows[rows["outcome"] == "ok"]
        timed = ok.groupby(step[ok.index])["e2e_ms"]
        found = outcomes.assign(planned=outcomes.sum(axis=1), e2e_p50_ms=timed.quantile(0.5))
        found["e2e_p95_ms"] = timed.quantile(0.95)
        found["quality"] = rows["passed"].astype("float").groupby(step).mean()
        return found


def _table(rows: list[dict[str, Any]], index: str) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows).set_index(index) if rows else pd.DataFrame()
