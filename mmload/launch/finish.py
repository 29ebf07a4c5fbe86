"""From the journals of a run to its folder: figures, verdict, report and every other file.

The same for a run that has just ended, one that is read again, and one cut short by a kill.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmload import baseline, corpus, journal, report, verdict
from mmload.histogram import hgrm, hlog
from mmload.launch import texts
from mmload.model import Check, InputError, Verdict
from mmload.profile import Cost, Profile, frozen_toml
from mmload.report.answers import AnswerRow, write_answers
from mmload.report.files import write_text
from mmload.report.parquet import RequestRow, write_requests
from mmload.scorecard import scorecard, scored_by
from mmload.summary import (
    RUN_JOURNAL,
    Attribution,
    Ending,
    Judged,
    RunInfo,
    RunReader,
    Shelf,
    answers_of,
    figures,
    intervals_for_log,
    judged,
    merged_latency,
    review_figures,
    scores_of,
    series,
    server_series,
    server_side,
    worst_seqs,
)


@dataclass(frozen=True)
class Finished:
    run_dir: Path
    figures: Mapping[str, Any]
    verdict: Verdict
    profile: Profile


def finish(
    run_dir: Path,
    environment: Mapping[str, Any] | None = None,
    secrets: tuple[str, ...] = (),
    reader: RunReader | None = None,
    cost: Cost | None = None,
    brief: bool = False,
) -> Finished:
    """Write every file of the run folder from its journals. Raises ``InputError`` if there is no run.

    ``cost`` puts other prices in the place of those that the run was made with. ``brief``: only
    ``summary.json`` and the profile, in a tenth of the time.
    """
    if not (run_dir / RUN_JOURNAL).exists():
        raise InputError(f"{run_dir}: no run of mmload in this folder ({RUN_JOURNAL} is missing)")
    reader = reader or RunReader(run_dir, corpus.load_items, cost)
    reader.poll()
    info = reader.plan
    # Before the journal is written anew: how much of it could not be read is told by its length.
    ending = Ending(reader.end, reader.events, reader.last_ns, reader.damaged)
    texts.seal(run_dir, info.header, info.profile.quality.texts, secrets, ended=reader.end is not None)
    server = server_side(run_dir, info)
    measured = figures(reader.summary, info, ending, _judged(run_dir, info.profile), server)
    found, _, decided = verdict.conclude(
        measured, info.profile.gates, _regressions(run_dir, measured, info.profile)
    )
    found["run"] |= scored_by(run_dir, info.header)
    found["scorecard"], found["attribution"] = scorecard(found, info.profile), None
    found["quality"] |= {
        "by_model": None,
        "review": review_figures(run_dir, info.profile.quality.require_strict_schema),
    }
    write_text(run_dir / "profile.toml", frozen_toml(info.profile))
    if brief:
        from mmload.report.folder import clean

        text = json.dumps(clean(found, secrets), indent=2, ensure_ascii=False, allow_nan=False)
        write_text(run_dir / "summary.json", text + "\n")
        return Finished(run_dir, found, decided, info.profile)
    shown = worst_seqs(reader.summary)
    plots = series(reader.summary, info, answers_of(run_dir, shown), scores_of(run_dir, shown))
    plots["server"] = server_series(server, info)
    if environment is None:
        environment = _stored_environment(run_dir)
    environment = {**environment, "matrix": found["scorecard"]["matrix"]}
    write_text(run_dir / "environment.json", json.dumps(environment, indent=2) + "\n")
    about = _about(found["run"])
    _write_histograms(run_dir, reader, info, about)
    causes = Attribution(info, reader.summary)
    _write_rows(run_dir, info, causes, secrets, about)
    found["attribution"], found["quality"]["by_model"] = causes.figures(), causes.by_model()
    run_info = {**info.header, "cut": reader.end is None, "end_reason": ending.reason}
    report.write(
        run_dir,
        found,
        plots,
        profile=info.profile,
        run_info=run_info,
        environment=environment,
        secrets=secrets,
    )
    return Finished(run_dir, found, decided, info.profile)


def _about(run: Mapping[str, Any]) -> dict[str, str | None]:
    """What a file that leaves its folder says of where it came from, and of the matrix that scored it."""
    wanted = ("id", "profile", "mmload_version", "workload_fingerprint", "matrix_version", "matrix_id")
    return {key: run.get(key) for key in wanted}


def _regressions(run_dir: Path, found: Mapping[str, Any], profile: Profile) -> list[Check]:
    path = run_dir / baseline.FILE
    if not path.exists():
        return []
    return baseline.regressions(found, baseline.read(path), profile.gates.model_dump())


def _judged(run_dir: Path, profile: Profile) -> Judged | None:
    judge = profile.quality.judge
    return judged(run_dir, judge, profile.quality.require_strict_schema) if judge else None


def _stored_environment(run_dir: Path) -> Mapping[str, Any]:
    path = run_dir / "environment.json"
    try:
        stored: Mapping[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return stored


def _write_histograms(
    run_dir: Path, reader: RunReader, info: RunInfo, about: Mapping[str, str | None]
) -> None:
    started = float(info.header["t0_wall_ns"]) / 1e9
    lines = hlog(
        intervals_for_log(reader.summary, info),
        title=f"mmload {about['mmload_version']} run={about['id']} "
        f"matrix={about['matrix_version']} ({about['matrix_id']})",
        base_time_s=started,
    )
    write_text(run_dir / "latency.hlog", "".join(lines))
    for metric in ("e2e", "service", "ttft", "inter_token"):
        histogram = merged_latency(reader.summary, info, metric)
        if histogram.n:
            write_text(run_dir / f"{metric}.hgrm", hgrm(histogram))


def _write_rows(
    run_dir: Path,
    info: RunInfo,
    causes: Attribution,
    secrets: tuple[str, ...],
    about: Mapping[str, str | None],
) -> None:
    scores = Shelf(run_dir)
    prompts: Mapping[str, str] = info.header.get("prompt_versions") or {}
    phase_of: dict[int, str] = {p.number: p.name for p in info.phases}
    first_seqs = [p.first_seq for p in info.phases]
    share = info.profile.target.streaming
    # The suite knows nothing of the target; which items are streamed is drawn when bodies are made.
    asked = [replace(item, streaming=corpus.streams(item.id, share)) for item in info.items]

    def requests() -> Iterator[RequestRow]:
        for kind, body in journal.Follower(run_dir / RUN_JOURNAL).poll():
            if kind != journal.RECORDS:
                continue
            for record in body:
                item = asked[record.item]
                bill, score = info.book.bill(record, info.input_estimate[record.item]), scores.get(record.seq)
                blame = causes.add(record, score)
                yield RequestRow(
                    record,
                    phase_of[record.phase],
                    item,
                    bill.total,
                    score,
                    "" if blame is None else str(blame),
                    prompts.get(item.task, ""),
                    bill,
                    info.trace_id(record.seq),
                    *info.session_of(record),
                )

    def answers() -> Iterator[AnswerRow]:
        for kind, body in journal.Follower(run_dir / RUN_JOURNAL).poll():
            if kind != journal.ANSWERS:
                continue
            for answer in body:
                phase = info.phases[bisect_right(first_seqs, answer.seq) - 1].name
                yield AnswerRow(
                    answer.seq, phase, info.items[answer.item], answer.text, scores.get(answer.seq)
                )

    write_requests(run_dir / "requests.parquet", requests(), about=about)
    matrix = f"{about['matrix_version']} ({about['matrix_id']})"
    kept = info.profile.quality.texts
    write_answers(run_dir / "answers", answers(), secrets=secrets, texts=kept, matrix=matrix)
