"""Where metrics are sent to, as the user gave it."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from mmload.model import InputError


def address(option: str, url: str, *, example: str, secrets: str) -> SplitResult:
    """The parts of an http or https URL without credentials. Raises ``InputError``.

    ``secrets``: where a name and a password belong instead.
    """
    try:
        parts = urlsplit(url)
        well_formed = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        well_formed = False
    if not well_formed:
        raise InputError(f'{option} {url}: it must be a URL as "{example}"')
    if parts.username or parts.password:
        raise InputError(f"{option}: no name or password in the URL; {secrets}")
    return parts
