"""A target that is not this machine: driven only if somebody says so, and has been told how much."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from mmload.model import InputError

if TYPE_CHECKING:
    from mmload.profile import Profile

F = TypeVar("F", bound=Callable[..., Any])
_GRID = 4001


def remote_options(command: F) -> F:
    """``--yes`` and ``--insecure``: ``yes, insecure``."""
    unchecked = "Do not check the certificate of an https target."
    command = click.option("--insecure", is_flag=True, help=unchecked)(command)
    return click.option("--yes", is_flag=True, help="The target is elsewhere, and I may load it.")(command)


def allowed(
    read: Callable[[list[str]], Profile], profile: Path, yes: bool, insecure: bool, say: Callable[[str], None]
) -> Profile:
    """The profile that ``read`` gives for more overrides, if its target may be driven.

    Says what is about to be sent to a target elsewhere. Raises ``InputError`` with the same if nobody allowed
    it, by ``--yes`` or ``target.allow_remote``.
    """
    from mmload.profile.rules import is_local

    more = ["target.tls_verify=false"] if insecure else []
    permitted = read([*more, "target.allow_remote=true"])
    url = permitted.target.url
    if url is None or is_local(url):
        # Whatever else is remote (a judge, its metrics) is for the profile to allow.
        return read(more)
    sent = f"{urlsplit(url).hostname} is not this machine. {load_of(permitted, profile.parent)}"
    try:
        wanted = permitted if yes else read(more)
    except InputError as error:
        raise InputError(f"{error}\n{sent}; give --yes if you may load it") from None
    say(sent)
    if not wanted.target.tls_verify and urlsplit(url).scheme == "https":
        click.echo(f"mmload: WARNING: the certificate of {urlsplit(url).hostname} is not checked", err=True)
    return wanted


def load_of(profile: Profile, base_dir: Path) -> str:
    """What a profile would send, in words: peak rate, requests, dollars."""
    import numpy as np

    from mmload.cli._plan import make_plan

    plan = make_plan(profile, base_dir, 1.0)
    rates = [
        60 * shape.rate(float(t))
        for shape in plan.shapes
        if shape.open_loop
        for t in np.linspace(0, shape.duration_s, _GRID)[:-1]
    ]
    users = max((p.users for p in plan.schedule.phases), default=0)
    peak = [f"{max(rates):,.0f} requests a minute"] if rates else []
    peak += [f"{users:,} requests at a time"] if users else []
    about = "about " if plan.estimate.closed_loop_assumed else ""
    usd = plan.estimate.usd
    cost = "at no known price" if usd is None else f"for about {usd:,.2f} USD"
    return f"The plan: up to {' and '.join(peak)}, {about}{plan.estimate.requests:,} requests in all, {cost}"
