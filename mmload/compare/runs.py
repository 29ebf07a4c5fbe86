"""One candidate of a comparison, read from its run folder: figures, profile, and a row for every request.

Not aware of other candidates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from mmload import journal
from mmload.model import InputError
from mmload.profile import Profile
from mmload.summary import RUN_JOURNAL

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_COLUMNS: Final = (
    *("seq", "phase", "phase_name", "item", "task", "due_ns", "outcome", "sampled", "pi"),
    *("e2e_ms", "ttft_ms", "cost_usd", "passed", "schema_status", "answer_status"),
)


@dataclass(frozen=True)
class Rows:
    """The measured requests of a run by ascending seq, as arrays of one length."""

    seq: Ints
    phase: Ints
    item: Ints
    due_ns: Ints
    task: npt.NDArray[np.str_]
    ok: Bools
    sent: Bools
    judged: Bools
    """Its answer was scored, or there was none although it was drawn for scoring."""
    passed: Bools
    wrong: Bools
    """A readable answer was given, and it does not pass: what nobody notices."""
    in_time: Bools
    pi: Floats
    e2e_ms: Floats
    """NaN where nothing ended."""
    cost_usd: Floats
    """NaN where a price is unknown; without machines, which are paid by the clock."""

    @property
    def good(self) -> Bools:
        """Right and in time."""
        return self.passed & self.in_time

    def take(self, where: Ints) -> Rows:
        return Rows(*(getattr(self, name)[where] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Candidate:
    name: str
    folder: Path
    figures: Mapping[str, Any]
    header: Mapping[str, Any]
    """First frame of its journal."""
    profile: Profile
    rows: Rows

    @property
    def machines_usd(self) -> float:
        """Infrastructure per request sent."""
        paid = float(self.figures["cost"]["by_component"].get("infrastructure") or 0.0)
        return paid / max(1, int(self.figures["counts"]["sent"]))


def read_candidate(folder: Path, name: str | None = None) -> Candidate:
    """Raises ``InputError`` for a folder without a finished run."""
    try:
        figures = json.loads((folder / "summary.json").read_text("utf-8"))
        header = _header(folder)
        profile = Profile.model_validate(header["profile"])
        rows = _rows(folder / "requests.parquet", figures, profile)
    except OSError as e:
        raise InputError(
            f"{folder}: no finished run in this folder ({Path(e.filename or '').name or e}); "
            f"if one was cut short, `mmload report {folder}` writes its files"
        ) from None
    except (ValueError, KeyError) as e:
        raise InputError(
            f"{folder}: its files are not of this version ({type(e).__name__}: {e}); "
            f"`mmload report {folder}` writes them anew"
        ) from None
    return Candidate(name or folder.name or str(folder), folder, figures, header, profile, rows)


def _header(folder: Path) -> Mapping[str, Any]:
    for kind, body in journal.Follower(folder / RUN_JOURNAL).poll():
        if kind == journal.RUN:
            found: Mapping[str, Any] = body
            return found
    raise KeyError("the journal has no first frame")


def _rows(path: Path, figures: Mapping[str, Any], profile: Profile) -> Rows:
    table = pq.read_table(path, columns=list(_COLUMNS)).sort_by("seq")
    measured = {p["name"] for p in figures["phases"] if not p["warmup"]}
    names = np.array(table["phase_name"].to_pylist(), dtype=str)
    kept = np.isin(names, list(measured))
    column = {name: table[name].to_numpy(zero_copy_only=False)[kept] for name in _COLUMNS}
    outcome, task = column["outcome"].astype(str), column["task"].astype(str)
    ok = outcome == "ok"
    e2e, ttft = column["e2e_ms"].astype(float), column["ttft_ms"].astype(float)
    passed, scored = _verdicts(column, profile)
    sampled = column["sampled"].astype(bool)
    answered = np.isin(np.array([str(s) for s in column["answer_status"]]), ["answered", "conflict"])
    return Rows(
        seq=column["seq"].astype(np.int64),
        phase=column["phase"].astype(np.int64),
        item=column["item"].astype(np.int64),
        due_ns=column["due_ns"].astype(np.int64),
        task=task,
        ok=ok,
        sent=outcome != "not_sent",
        judged=scored | (~ok & sampled),
        passed=passed & ok,
        wrong=scored & ok & answered & ~passed,
        in_time=ok & (e2e <= _limits(task, profile, "e2e_ms")) & ~(ttft > _limits(task, profile, "ttft_ms")),
        pi=np.clip(column["pi"].astype(float), 1e-3, 1.0),
        e2e_ms=np.where(ok, e2e, np.nan),
        cost_usd=column["cost_usd"].astype(float),
    )


def _verdicts(column: Mapping[str, Any], profile: Profile) -> tuple[Bools, Bools]:
    scored = np.array([value is not None for value in column["passed"]], bool)
    passed = np.array([value is True or value == 1 for value in column["passed"]], bool) & scored
    if profile.quality.require_strict_schema:
        passed &= np.array([s == "strict" for s in column["schema_status"]], bool)
    return passed, scored


def _limits(task: npt.NDArray[np.str_], profile: Profile, key: str) -> Floats:
    """The objective of each request in ms; infinite where there is none."""
    by_task = {t: getattr(profile.slo_of(t), key) for t in np.unique(task).tolist()}
    return np.array([np.inf if by_task[t] is None else by_task[t] for t in task.tolist()], float)
