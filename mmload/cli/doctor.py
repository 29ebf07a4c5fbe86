"""Say what on this machine would spoil a measurement, and how to mend it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmload.cli._options import json_option, print_json, read_profile

if TYPE_CHECKING:
    from mmload.cli._machine import Finding, Needs

EXIT_SPOILED = 5


@click.command(epilog="Example: mmload doctor traffic_profiles/burst.toml")
@click.argument("profile", type=click.Path(path_type=Path), required=False)
@click.option("--workers", type=click.IntRange(1, 256), help="Workers that the run will have.")
@click.option(
    "--self-test", is_flag=True, help="Try the rates of PROFILE against a target that does nothing."
)
@json_option
def doctor(profile: Path | None, workers: int | None, self_test: bool, as_json: bool) -> int:
    """Look at cores, file descriptors, ports, clocks, kernel timestamps, memory and more.

    With PROFILE, against what that run would need; --self-test also sends its requests to a target on
    loopback that does nothing, for some seconds, and says what rate this machine can offer. Exits with 5
    if something found would make a run invalid; what may only move its figures is a warning.
    """
    from mmload.cli._machine import Status, examine

    if self_test and profile is None:
        raise click.UsageError("--self-test needs a PROFILE, whose requests it sends")
    findings = examine(_needs(profile, workers))
    if self_test and profile is not None:
        findings.append(_try(profile, workers))
    failed = [finding for finding in findings if finding.status is Status.FAIL]
    if as_json:
        print_json({"healthy": not failed, "findings": [asdict(finding) for finding in findings]})
    else:
        _show(findings)
    return EXIT_SPOILED if failed else 0


def _needs(profile: Path | None, workers: int | None) -> Needs:
    from mmload.cli._machine import Needs
    from mmload.plan import peak_of, shapes_of

    if profile is None:
        return Needs(workers=workers or 1)
    asked = read_profile(profile, workers=workers)
    target = asked.target
    peak = peak_of(shapes_of(asked, profile.parent))
    fresh = peak.rpm / 60 if target.connection == "fresh" else 0.0
    return Needs(asked.workers, max(target.max_in_flight, peak.users), fresh, target.engine is not None)


def _try(profile: Path, workers: int | None) -> Finding:
    """The self-test as one more finding."""
    from mmload.cli._machine import Finding, Status
    from mmload.launch.selftest import self_test

    found = self_test(read_profile(profile, workers=workers), profile.parent)
    text = f"{found.most_rpm:,.0f} rpm of this profile's requests can leave"
    if found.peak_rpm is not None:
        text += f"; at its peak of {found.peak_rpm:,.0f} rpm {found.peak_sent_ratio:.1%} left"
    if found.send_lag_p99_ms is not None:
        text += f", 99% within {found.send_lag_p99_ms:.2f} ms of due"
    status = Status.OK if found.suffices else Status.FAIL
    return Finding("offered rate", status, text, "more --workers, or workers on other hosts (mmload worker)")


def _show(findings: list[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    for finding in findings:
        status = click.style(f"{finding.status:<4}", fg=colours[finding.status])
        click.echo(f"{status}  {finding.name:<{width}}  {finding.found}")
        if finding.remedy and finding.status != "ok":
            click.echo(f"      {'':<{width}}  -> {finding.remedy}")
    worst = {finding.status.value for finding in findings}
    verdict = (
        "would make runs invalid" if "fail" in worst else "may move figures" if "warn" in worst else "is well"
    )
    click.echo(f"\nThis machine {verdict}.")
