"""A target that is not this machine: driven only if somebody says so, and has been told how much."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from mmload.model import InputError, counted

if TYPE_CHECKING:
    from mmload.profile import Profile

F = TypeVar("F", bound=Callable[..., Any])


def remote_options(command: F) -> F:
    """``--yes`` and ``--insecure``: ``yes, insecure``."""
    unchecked = "Do not check the certificate of an https target."
    command = click.option("--insecure", is_flag=True, help=unchecked)(command)
    return click.option("--yes", is_flag=True, help="The target is elsewhere, and I may load it.")(command)


def allowed(
    read: Callable[[list[str]], Profile],
    profile: Path,
    yes: bool,
    insecure: bool,
    say: Callable[[str], None],
    load: Callable[[Profile, Path], str] | None = None,
) -> Profile:
    """The profile that ``read`` gives for more overrides, if its target may be driven.

    Says what is about to be sent to a target elsewhere: ``load`` of the profile and its folder, by default
    ``load_of``. Raises ``InputError`` with the same if nobody allowed it, by ``--yes`` or
    ``target.allow_remote``.
    """
    from mmload.profile.rules import is_local

    more = ["target.tls_verify=false"] if insecure else []
    permitted = read([*more, "target.allow_remote=true"])
    url = permitted.target.url
    if url is None or is_local(url):
        # Whatever else is remote (a judge, its metrics) is for the profile to allow.
        return read(more)
    sent = f"{urlsplit(url).hostname} is not this machine. {(load or load_of)(permitted, profile.parent)}"
    try:
        wanted = permitted if yes else read(more)
    except InputError as error:
        raise InputError(f"{error}\n{sent}; give --yes if you may load it") from None
    say(sent)
    if not wanted.target.tls_verify and urlsplit(url).scheme == "https":
        click.echo(f"mmload: WARNING: the certificate of {urlsplit(url).hostname} is not checked", err=True)
    return wanted


def load_of(profile: Profile, base_dir: Path, rounds: int = 1) -> str:
    """What a profile would send, in words: peak rate, requests, dollars; ``rounds`` times over."""
    from mmload.cli._outline import outline
    from mmload.plan import peak_of

    plan = outline(profile, base_dir)
    most = peak_of(plan.shapes)
    peak = [f"{most.rpm:,.0f} requests a minute"] if most.rpm else []
    peak += [f"{counted(most.users, 'request')} at a time"] if most.users else []
    about = "about " if plan.estimate.closed_loop_assumed else ""
    requests = f"{about}{counted(rounds * plan.estimate.requests, 'request')} in all"
    usd = plan.estimate.usd
    return f"The plan: up to {' and '.join(peak)}, {requests}, {_cost(usd and rounds * usd)}"


def search_of(profile: Profile, base_dir: Path, quick: bool = False) -> str:
    """The same of a search, which spends what it is allowed: it is told by its budgets."""
    from mmload.cli._outline import outline
    from mmload.search.conduct import settings_of

    s, plan = settings_of(profile, quick), outline(profile, base_dir).estimate
    each = plan.usd / plan.requests if plan.usd is not None and plan.requests else None
    usd = None if each is None else each * s.max_requests
    cost = _cost(usd) if s.max_usd is None else f"for at most {s.max_usd:,.2f} USD"
    return (
        f"The search: up to {s.max_rpm:,.0f} requests a minute (capacity.max_rpm), at most "
        f"{counted(s.max_requests, 'request')} in {s.max_minutes:g} minutes, {cost}"
    )


def _cost(usd: float | None) -> str:
    return "at no known price" if usd is None else f"for about {usd:,.2f} USD"
