"""Tables of a report that no plot goes with: levels, validity, machine, method, the run itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmload.report.axes import Linear
from mmload.report.escape import one_line, redact
from mmload.report.measured import Measured
from mmload.report.scene import Line, Marker, Scene
from mmload.report.scorecards import reviews
from mmload.report.table import Table
from mmload.report.verdicts import GateLine, counts_line
from mmload.report.wording import (
    DASH,
    count,
    gate_title,
    interval,
    known,
    ms,
    percent,
    points,
    rpm,
    seconds,
    signed,
    usd,
)


def levels(measured: Measured) -> Table:
    """Every load level against all gates: where rpm at quality comes from."""
    rows = [
        [
            str(level.get("name")),
            rpm(level.get("rpm")),
            rpm(level.get("achieved_rpm")),
            percent(level.get("quality")),
            interval(level.get("quality_low"), level.get("quality_high"), percent) or DASH,
            ms(level.get("e2e_p95_ms")),
            percent(level.get("error_ratio")),
            percent(level.get("over_slo_ratio")),
            _holds(level),
        ]
        for level in measured.part("throughput").get("levels") or []
    ]
    head = ["Level", "Offered rpm", "Answered", "Quality", "95% bounds", "p95", "Errors", "Late", "Gates"]
    note = "Bounds as gates take them: each one-sided, slightly inside the two-sided interval of a phase."
    return Table("Load levels", head, rows, [note])


def remarks(measured: Measured) -> list[str]:
    """Why a run is not valid, and what else is to be known before it is trusted."""
    found = measured.part("validity")
    reasons = [f"Not valid: {reason}." for reason in found.get("reasons") or []]
    return reasons + [f"To note: {warning}." for warning in found.get("warnings") or []]


def answers(measured: Measured) -> Table:
    """What is checked of every scored answer besides whether it is right."""
    found, safety = measured.part("quality"), measured.part("quality", "safety")
    delta = measured.part("quality", "baseline_delta")
    rules = ", ".join(f"{rule} {count(n)}" for rule, n in (safety.get("by_rule") or {}).items())
    said = interval(delta.get("low"), delta.get("high"), percent)
    rows = [
        ["Scored, of those eligible", f"{count(found.get('n_scored'))} of {count(found.get('n_eligible'))}"],
        ["Graded score, where part marks count", percent(found.get("graded"))],
        ["Passed, of all requests planned", percent(found.get("unconditional"))],
        ["Schema valid, strictly or after repair", percent(found.get("schema_valid_ratio"))],
        ["Schema valid, strictly", percent(found.get("schema_strict_ratio"))],
        ["Answers meant for another request", count(safety.get("cross_talk"))],
        [
            "Nonce missing · wrong",
            f"{count(safety.get('nonce_missing'))} · {count(safety.get('nonce_wrong'))}",
        ],
        ["Safety rules broken", count(safety.get("violations")) + (f" ({rules})" if rules else "")],
        [
            "Quality against the unloaded baseline",
            percent(delta.get("value")) + (f" ({said})" if said else ""),
        ],
        *_against_unloaded(delta),
    ]
    return Table("Answers", ["Check", "Found"], [*rows, *judge(measured).rows, *reviews(measured).rows])


def _against_unloaded(delta: Mapping[str, Any]) -> list[list[str]]:
    """Items lost and gained under load, and how far the pipeline disagrees with itself; with a baseline."""
    if not known(delta.get("n_items")):
        return []
    p, floor = delta.get("p_value"), delta.get("noise_floor")
    least, drift, own = delta.get("smallest_loss"), delta.get("drift"), delta.get("drift_p_value")
    boot = interval(delta.get("bootstrap_low"), delta.get("bootstrap_high"), percent)
    return [
        [
            "Items lost · gained under load (McNemar)",
            f"{count(delta.get('lost'))} · {count(delta.get('gained'))}"
            + (f" (p = {p:.3g})" if known(p) else ""),
        ],
        ["The same difference by clustered bootstrap", boot or DASH],
        ["Two unloaded answers to one item differ (noise floor)", percent(floor)],
        ["Smallest loss that such a baseline can tell", points(least) if known(least) else DASH],
        [
            "Baseline against itself: its last answers less its first",
            (signed(drift, points) if known(drift) else DASH) + (f" (p = {own:.3g})" if known(own) else ""),
        ],
    ]


def judge(measured: Measured) -> Table:
    """What a model said of a share of the answers; no rows if none was asked."""
    found = measured.part("quality", "judge")
    if not found:
        return Table("Judge", ["Check", "Found"], [])
    agreement = interval(found.get("agreement_low"), found.get("agreement_high"), percent)
    kappa, cost = found.get("kappa"), found.get("cost_usd")
    model = one_line(redact(str(found.get("model") or DASH)), 80)
    rows = [
        [
            f"Judge ({model}): verdicts · none given",
            f"{count(found.get('n'))} · {count(found.get('failed'))}",
        ],
        [
            "Judge agrees with the scorers",
            percent(found.get("agreement_ratio")) + (f" ({agreement})" if agreement else ""),
        ],
        ["Agreement beyond chance (kappa)", f"{kappa:.2f}" if known(kappa) else DASH],
        ["Right, says the judge", percent(found.get("judged_pass_ratio"))],
        ["Cost of the judge, not of the pipeline", usd(cost) if known(cost) else DASH],
    ]
    return Table("Judge", ["Check", "Found"], rows)


def features(measured: Measured) -> Table:
    found = measured.part("cost", "by_feature")
    total = sum(v for v in found.values() if known(v))
    rows = [[str(k), usd(v), percent(v / total) if known(v) and total else DASH] for k, v in found.items()]
    return Table("Cost by feature", ["Feature", "USD", "Of total"], rows)


def bursts(measured: Measured) -> list[str]:
    """One sentence for every phase that had a burst: how long it took to recover, and what piled up."""
    said = []
    for phase in measured.entries("phases"):
        recovery, backlog = phase.get("recovery_s"), phase.get("peak_backlog")
        if recovery is None and backlog is None:
            continue
        back = "not seen back within the objective after the burst"
        if known(recovery):
            took = f"back within the objective {seconds(recovery)} after the burst"
            back = took if recovery > 0 else "within the objective as soon as the burst was over"
        most = f"; at most {count(backlog, 'request')} unanswered at once" if known(backlog) else ""
        said.append(f"{phase.get('name')}: {back}{most}.{_before_and_after(phase.get('burst') or {})}")
    return said


def _before_and_after(burst: Mapping[str, Any]) -> str:
    """Quality and losses before, during and after, and whether the first came back."""
    before, during, after = (burst.get(name) or {} for name in ("before", "during", "after"))
    if not known(before.get("quality")) or not known(after.get("quality")):
        return ""
    parts = ", ".join(
        f"{percent(part.get('quality'))} {name}"
        for name, part in (("before", before), ("during", during), ("after", after))
        if known(part.get("quality"))
    )
    lost = ", ".join(
        f"{percent(part.get('error_ratio'))} {name}"
        for name, part in (("during", during), ("after", after))
        if known(part.get("error_ratio"))
    )
    change = burst.get("quality_change") or {}
    low, high = change.get("low"), change.get("high")
    back = ""
    if known(low) and known(high):
        sure = "lower" if high < 0 else "higher" if low > 0 else ""
        back = f" Afterwards quality is for certain {sure} than before." if sure else ""
    return f" Quality {parts}; failed or shed {lost}.{back}"


def _holds(level: Mapping[str, Any]) -> str:
    said = {"pass": "hold", "fail": "fail", "inconclusive": "open"}.get(str(level.get("verdict")), DASH)
    return f"{said}: {gate_title(str(level['limited_by']))}" if level.get("limited_by") else said


def validity(measured: Measured) -> Table:
    """What the generator says of itself."""
    found, lag = measured.part("validity"), measured.part("validity", "send_lag_ms")
    source = {"kernel": "kernel (receive timestamps of the socket)", "user": "user (of the process)"}
    rows = [
        ["Offered, by plan", f"{rpm(found.get('offered_rpm'))} rpm"],
        ["Sent", f"{rpm(found.get('sent_rpm'))} rpm"],
        [
            "Send lag p50 · p99 · highest",
            f"{ms(lag.get('p50'))} · {ms(lag.get('p99'))} · {ms(lag.get('max'))}",
        ],
        ["Generator CPU, busiest worker", f"{percent(found.get('generator_cpu_ratio'))} of a core"],
        ["Longest wait of the event loop", ms(found.get("loop_lag_max_ms"))],
        ["Open files at most", count(found.get("open_fds_max"))],
        ["Latencies beyond 1 h, clamped", count(found.get("clamped"))],
        ["Clock of received bytes", source.get(str(found.get("timestamp_source")), DASH)],
        ["Every planned request", counts_line(measured)],
    ]
    return Table("Generator", ["Check", "Found"], rows, text_columns=1)


def run(measured: Measured) -> Table:
    found = measured.part("run")
    matrix = (found.get("matrix_version"), found.get("matrix_id"))
    rows = [
        ["Run", str(found.get("id") or DASH)],
        ["Profile", str(found.get("profile") or DASH)],
        ["Target", redact(str(found.get("target") or DASH))],
        ["Started", str(found.get("started_at") or DASH)],
        ["Duration", seconds(found.get("duration_s"))],
        ["Workers", count(found.get("workers"))],
        ["Seed", str(found.get("seed") if found.get("seed") is not None else DASH)],
        ["Workload fingerprint", str(found.get("workload_fingerprint") or DASH)],
        ["Matrix", " · ".join(str(part) for part in matrix if part) or DASH],
    ]
    return Table("Run", ["What", "Value"], rows)


def environment(measured: Measured) -> Table:
    """Versions, machine, kernel."""
    rows = [
        [_plain(key), one_line(redact(_amount(key, value)), 300)] for key, value in flat(measured.environment)
    ]
    return Table("Environment", ["What", "Value"], rows)


def _plain(key: str) -> str:
    """``machine.cpus_usable`` -> ``machine cpus usable``; a library goes by its own name."""
    return key.removeprefix("libraries.").removesuffix("_bytes").replace(".", " ").replace("_", " ")


def _amount(key: str, value: Any) -> str:
    if key.endswith("_bytes") and known(value):
        return f"{value / 1e9:.3g} GB"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested mappings as (dotted key, value) pairs in order."""
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            found += flat(value, f"{prefix}{key}.")
        elif value is not None:
            found.append((f"{prefix}{key}", value))
    return found


def gate_scene(gate: GateLine) -> Scene | None:
    """A strip with the limit as a line and the measured value with its interval as dot and whisker."""
    limit, value = gate.raw.get("limit"), gate.raw.get("value")
    if not known(limit) or not known(value):
        return None
    low, high = gate.raw.get("low"), gate.raw.get("high")
    points = [float(v) for v in (limit, value, low, high) if known(v)]
    span = max(points) - min(points) or abs(float(str(limit))) or 1.0
    scale = Linear(min(points) - 0.18 * span, max(points) + 0.18 * span)

    def px(at: Any) -> float:
        return 4 + scale(float(at)) * 152

    role = {"pass": "green", "fail": "red"}.get(gate.verdict, "orange")
    shape = {"pass": "circle", "fail": "cross"}.get(gate.verdict, "diamond")
    scene = Scene(160, 24)
    scene.add(Line([(0, 12), (160, 12)], "grid", 1), Line([(px(limit), 2), (px(limit), 22)], "ink", 2))
    if known(low) and known(high):
        scene.add(Line([(px(low), 12), (px(high), 12)], role, 3))
    scene.add(Marker(px(value), 12, role, shape, 5))
    return scene
