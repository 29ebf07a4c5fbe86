"""The gates as JUnit XML: one test case per gate, and one for the run's validity.

CI systems know passed, failed and broken. A gate that fails is ``<failure type="fail">``; one that the
sample cannot settle is ``<failure type="inconclusive">``, for a skipped case would read as harmless;
an invalid run makes ``<error type="invalid">`` of the validity case alone, since the target did nothing
wrong there. GitLab and others ignore the file for the job's result: the exit code decides that.
"""

from __future__ import annotations

from mmload.report import verdicts
from mmload.report.escape import xml_text
from mmload.report.measured import Measured


def render(measured: Measured) -> str:
    """The whole file."""
    run, lines = measured.part("run"), verdicts.gates(measured)
    cases = [_validity(measured), *[_case(gate) for gate in lines]]
    valid = bool(measured.part("validity").get("valid"))
    failures = sum(gate.verdict != "pass" for gate in lines)
    name = xml_text(f"mmload.{run.get('profile') or measured.profile.name}")
    time = float(run.get("duration_s") or 0)
    properties = "".join(
        f'\n      <property name="{key}" value="{xml_text(str(run.get(key)))}"/>'
        for key in ("id", "target", "workload_fingerprint", "matrix_version", "matrix_id", "seed")
        if run.get(key) is not None
    )
    counts = (
        f'tests="{len(cases)}" failures="{failures}" errors="{int(not valid)}" skipped="0" time="{time:.3f}"'
    )
    stamp = xml_text(str(run.get("started_at") or ""))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<testsuites {counts}>\n"
        f'  <testsuite name="{name}" timestamp="{stamp}" {counts}>\n'
        f"    <properties>{properties}\n    </properties>\n"
        + "".join(cases)
        + "  </testsuite>\n</testsuites>\n"
    )


def _case(gate: verdicts.GateLine) -> str:
    title = xml_text(f"{gate.title} {gate.rule}")
    head = (
        f'    <testcase classname="mmload.gate.{xml_text(gate.dimension or "other")}" name="{title}" time="0"'
    )
    measured = f"{gate.value} ({gate.interval})" if gate.interval else gate.value
    if gate.verdict == "pass":
        return f"{head}>\n      <system-out>measured {xml_text(measured)}</system-out>\n    </testcase>\n"
    text = xml_text(f"measured {measured}, limit {gate.rule}")
    reason = f"\n{xml_text(gate.reason)}" if gate.reason else ""
    kind = "fail" if gate.verdict == "fail" else "inconclusive"
    return (
        f'{head}>\n      <failure type="{kind}" message="{text}">{text}{reason}</failure>\n    </testcase>\n'
    )


def _validity(measured: Measured) -> str:
    head = '    <testcase classname="mmload.validity" name="the generator was not the limit" time="0"'
    validity = measured.part("validity")
    if validity.get("valid"):
        return f"{head}/>\n"
    text = xml_text("; ".join(map(str, validity.get("reasons") or ["no reason was recorded"])))
    return f'{head}>\n      <error type="invalid" message="{text}">{text}</error>\n    </testcase>\n'
