"""Write a commented profile for an endpoint, to start from."""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmload.cli._options import json_option, print_json
from mmload.model import InputError

if TYPE_CHECKING:
    from mmload.cli._probe import Endpoint

_NICE = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)


@click.command(epilog="Example: mmload init http://127.0.0.1:8000/v1 --out traffic_profiles/mine.toml")
@click.argument("url", metavar="URL|sim|ocr")
@click.option("--model", help="Model to ask for; default the first that the endpoint lists.")
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the key.")
@click.option("--allow-remote", is_flag=True, help="URL is not this machine, and I may load it.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write; - for stdout. Default NAME.toml here."
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
@json_option
def init(
    url: str,
    model: str | None,
    api_key_env: str | None,
    allow_remote: bool,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Ask the endpoint at URL what it is, and write a profile that fits it.

    Sends up to four small requests: the list of models, and one short question about a small picture, whole
    and streamed. The rate to start with and the objective come from the time that the answer took.
    """
    if as_json and str(out) == "-":
        raise click.UsageError("--json and --out - would both print on stdout")
    found = _look(url, model, api_key_env, allow_remote)
    text = _profile(found, url, api_key_env, allow_remote)
    _check(text)
    path = out or Path(f"{_name(found.model)}.toml")
    if str(path) == "-":
        sys.stdout.write(text)
        return
    _write(path, text, force)
    if as_json:
        print_json(_result(found, path))
        return
    click.echo(f"wrote {path}: {_summary(found)}")
    click.echo(f"next: mmload check {path}")


def _look(url: str, model: str | None, api_key_env: str | None, allow_remote: bool) -> Endpoint:
    from mmload.cli._probe import Endpoint, probe
    from mmload.profile import Target, api_key
    from mmload.profile.rules import is_local

    if url in ("sim", "ocr"):
        return Endpoint(url, [], model or "sim-large", True, True, 0.15)
    if not re.match(r"https?://[^/?#]", url):
        meant = f"; did you mean http://{url}?" if re.match(r"[\w.-]+:\d+(/|$)", url) else ""
        raise InputError(f'{url}: not a URL as "http://127.0.0.1:8000/v1", nor sim or ocr{meant}')
    if not allow_remote and not is_local(url):
        raise InputError(f"{url} is not this machine; add --allow-remote if you may load it")
    key = api_key(Target(url=url, api_key_env=api_key_env), os.environ)
    return probe(url, model, key)


def _name(model: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", model.rsplit("/", 1)[-1]).strip("-.")[:64] or "mine"


def _nice(value: float, *, up: bool) -> float:
    """The nearest handy number above or below."""
    power = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 0.1
    steps = [step * power for step in _NICE]
    if up:
        return next((step for step in steps if step >= value * 0.999), steps[-1])
    return next((step for step in reversed(steps) if step <= value * 1.001), steps[0])


def _check(text: str) -> None:
    """What is written must be read: a fault here is ours."""
    import tempfile

    from mmload.profile import load

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "profile.toml"
        file.write_text(text, encoding="utf-8")
        load(file)


def _write(path: Path, text: str, force: bool) -> None:
    if path.exists() and not force:
        raise InputError(f"{path} exists; give another --out, or --force to overwrite it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from None


def _summary(found: Endpoint) -> str:
    parts = [found.model, "streams" if found.streams else "does not stream"]
    parts.append("takes images" if found.images else "took no image")
    if found.answer_s is not None:
        parts.append(f"answered in {found.answer_s:.2g} s")
    return ", ".join(parts) + (f"; the small question failed: {found.note}" if found.note else "")


def _result(found: Endpoint, path: Path) -> dict[str, Any]:
    return {
        "profile": str(path),
        "url": found.url,
        "model": found.model,
        "models": found.models,
        "streams": found.streams,
        "images": found.images,
        "answer_s": found.answer_s,
        "note": found.note or None,
    }


def _toml(text: str) -> str:
    import tomli_w

    return tomli_w.dumps({"x": text}).removeprefix("x = ").strip()


def _target(found: Endpoint, url: str, api_key_env: str | None, allow_remote: bool) -> str:
    if url in ("sim", "ocr"):
        lines = [f'engine = "{url}"             # the embedded practice pipeline']
    else:
        lines = [f"url = {_toml(found.url)}"]
    lines.append(
        f"model = {_toml(found.model)}" + (f"   # also: {_others(found)}" if len(found.models) > 1 else "")
    )
    share = "0.5              # share of requests that ask for a streamed answer" if found.streams else "0.0"
    lines.append(
        f"streaming = {share}" + ("" if found.streams else "              # it did not stream when asked")
    )
    if api_key_env:
        lines.append(f"api_key_env = {_toml(api_key_env)}   # the NAME of the variable that holds the key")
    if allow_remote:
        lines.append("allow_remote = true          # it is not this machine, and you may load it")
    return "\n".join(lines)


def _others(found: Endpoint) -> str:
    others = [re.sub(r"[^\x20-\x7e]", "?", name) for name in found.models if name != found.model]
    return ", ".join(others[:5]) + ("..." if len(others) > 5 else "")


def _told(found: Endpoint) -> str:
    """What is known of the target beside its address."""
    if found.url in ("sim", "ocr"):
        return "the embedded practice pipeline: nobody was asked"
    if found.answer_s is None:
        return "which did not answer a question"
    return f"which answered a small question in {found.answer_s:.2g} s"


def _profile(found: Endpoint, url: str, api_key_env: str | None, allow_remote: bool) -> str:
    answer_s = found.answer_s or 2.0
    # A picture and prompt of full size take some four times as long as the small question.
    base_rpm = min(600.0, max(6.0, _nice(60.0 / (4 * answer_s), up=False)))
    slo_ms = _nice(max(1000.0, 10 * answer_s * 1e3), up=True)
    base_s = max(20.0, _nice(150 / base_rpm * 60, up=True))
    return _TEMPLATE.format(
        name=_name(found.model),
        where=re.sub(r"[^\x20-\x7e]", "?", found.url),
        told=_told(found),
        target=_target(found, url, api_key_env, allow_remote),
        base_rpm=f"{base_rpm:g}",
        peak_rpm=f"{4 * base_rpm:g}",
        warm_rpm=f"{base_rpm:g}",
        base_s=f"{base_s:g}",
        burst_s=f"{1.5 * base_s:g}",
        slo_ms=f"{slo_ms:g}",
        p95_ms=f"{slo_ms:g}",
        today=datetime.now(UTC).date().isoformat(),
        model=_toml(found.model),
        images=""
        if found.images
        else "# The endpoint refused a small picture: see that the model takes images.\n",
    )


_TEMPLATE = """\
# Traffic for {where}, {told}.
#
#   mmload check THIS_FILE     draws the traffic, sends nothing
#   mmload run   THIS_FILE     sends it, scores the answers, and says go or no-go
#
# Rates and objectives below are guesses: change them to what you expect.
# All keys: docs/profile-reference.md. Units are in the names: _s, _ms, rpm, _usd.

name = "{name}"
seed = 1                     # the same seed gives the same traffic
expected_peak_rpm = {base_rpm}       # what launch day is expected to bring

[target]
{target}

# --- how much, and when ---------------------------------------------------

[[phase]]
name = "warm-up"
shape = "sustained"
duration_s = 10
rpm = {warm_rpm}
warmup = true                # sent, but kept out of every figure

[[phase]]
name = "base"
shape = "sustained"          # requests leave at this rate, whatever the target does
duration_s = {base_s}
rpm = {base_rpm}

[[phase]]
name = "burst"
shape = "burst"              # the same, with a sudden peak; other shapes: ramp, steps, sine, replay
duration_s = {burst_s}
rpm = {base_rpm}
peak_rpm = {peak_rpm}

# --- what is sent ---------------------------------------------------------
{images}
[mix]
items = 200                  # distinct items, drawn from a seed with their exact truth
unanswerable = 0.15          # share whose image cannot tell: the right answer is "cannot tell"

[mix.tasks]
extract = 0.4
ui = 0.3
chart = 0.3

# --- what counts as good --------------------------------------------------

[slo.default]
e2e_ms = {slo_ms}                # from the moment a request was due to its last byte

[cost]
as_of = "{today}"         # date of the prices

# [cost.models.{model}]      # fill in, and the report prices every answer; unknown is never zero
# input_usd_per_mtok = 2.50
# output_usd_per_mtok = 10.00

# --- when is it a go: every gate must hold --------------------------------

[gates]
quality_min = 0.80           # lower confidence bound of quality
over_slo_max = 0.05          # upper bound of the share beyond its objective; failed and shed count
error_max = 0.02
e2e_p95_ms = {p95_ms}            # needs 130 requests to certify; p99 needs 662
"""
