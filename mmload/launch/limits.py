"""What the system allows this process and all that it starts: open files, core dumps."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mmload.profile import Profile

_MOST: Final = 1 << 20
"""The most that Linux gives a process where nobody set it otherwise."""
_ASIDE: Final = 64
"""Open files of a worker that are no connections."""


def settle() -> None:
    """As many open files as we may have without asking; no core dump, for the key would be in it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def shortage(profile: Profile) -> str:
    """A warning if this many requests in flight need more open files than a process may have; or empty."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    # Of an embedded target all connections end in one process.
    sharing = 1 if profile.target.engine is not None else profile.workers
    wanted = -(-profile.target.max_in_flight // sharing) + _ASIDE
    if limit == resource.RLIM_INFINITY or limit >= wanted:
        return ""
    return (
        f"warning: target.max_in_flight = {profile.target.max_in_flight} needs {wanted:,} open files in one "
        f"process, and {limit:,} is the limit: raise it (ulimit -n) or lower target.max_in_flight"
    )
