"""What a CI system shows of a run: annotations, a step summary, outputs for later steps.

GitHub names its files in environment variables and reads workflow commands from a step's output;
nothing here runs unless those variables are there. Not aware of any other CI: they read JUnit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmload.profile import Profile
from mmload.report import markdown, verdicts
from mmload.report.measured import Measured

_LEVELS = {"fail": "error", "inconclusive": "warning"}


def workflow_commands(measured: Measured, file: str = "") -> list[str]:
    """Workflow commands: one for an invalid run, one for each gate that did not pass.

    ``file`` is the profile within the repository, to which they are attached.
    """
    place = f"file={_property(file)}," if file else ""
    lines = []
    if not measured.part("validity").get("valid"):
        lines.append(
            _command("error", f"{place}title=mmload: the run is invalid", verdicts.sentence(measured))
        )
    for gate in verdicts.gates(measured):
        level = _LEVELS.get(gate.verdict)
        if level is None:
            continue
        between = f" ({gate.interval})" if gate.interval else ""
        text = f"measured {gate.value}{between}, limit {gate.rule}" + (
            f"; {gate.reason}" if gate.reason else ""
        )
        lines.append(
            _command(level, f"{place}title={_property(f'mmload: {gate.title} {gate.verdict}')}", text)
        )
    return lines


def _command(level: str, properties: str, message: str) -> str:
    return f"::{level} {properties}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def outputs(measured: Measured) -> dict[str, str]:
    """Figures for later steps, as plain numbers; empty where absent."""
    throughput, cost = measured.part("throughput", "rpm_at_quality"), measured.part("cost")
    found = {
        "verdict": verdicts.word(measured),
        "rpm_at_quality": throughput.get("value"),
        "quality": measured.part("quality").get("score"),
        "e2e_p95_ms": measured.part("latency_ms", "e2e").get("p95"),
        "per_good_query_usd": cost.get("per_good_query_usd"),
    }
    return {key: "" if value is None else str(value) for key, value in found.items()}


def publish(
    run_dir: Path,
    figures: Mapping[str, Any],
    profile: Profile,
    environ: Mapping[str, str],
    profile_file: str = "",
) -> list[str]:
    """Hand ``report.md`` and the outputs to GitHub where it asks for them; return the annotations to print.

    Does nothing outside GitHub Actions. Raises ``OSError``.
    """
    if environ.get("GITHUB_ACTIONS") != "true":
        return []
    measured = Measured(figures, {}, profile)
    if environ.get("GITHUB_STEP_SUMMARY"):
        _append(Path(environ["GITHUB_STEP_SUMMARY"]), _bounded((run_dir / "report.md").read_text("utf-8")))
    if environ.get("GITHUB_OUTPUT"):
        lines = "".join(f"{key}={value}\n" for key, value in outputs(measured).items())
        _append(Path(environ["GITHUB_OUTPUT"]), lines)
    return workflow_commands(measured, profile_file)


def _bounded(text: str) -> str:
    """At most what a step may hand in; the verdict and the gates come first, so they stay."""
    limit = markdown.STEP_SUMMARY_LIMIT
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    cut = encoded[: limit - 64].decode("utf-8", "ignore")
    return cut[: cut.rfind("\n")] + "\n\n(cut: see report.md)\n"


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
