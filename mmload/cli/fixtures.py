"""Build, verify or look at the suite of images and prompts that a profile sends."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmload.cli._options import json_option, plugin_option, print_json, read_profile
from mmload.model import InputError, counted

if TYPE_CHECKING:
    from mmload.corpus import Suite
    from mmload.profile import Mix

_profile = click.argument("profile", type=click.Path(path_type=Path), required=False)
_sets = click.option("--set", "sets", multiple=True, metavar="KEY.PATH=VALUE", help="Override one key.")


@click.group(epilog="Example: mmload fixtures build traffic_profiles/burst.toml")
def fixtures() -> None:
    """The suite: images and prompts drawn from a seed, each with its exact truth.

    It is built once and kept in the cache ($MMLOAD_CACHE, else ~/.cache/mmload); a run builds what it needs.
    """


@fixtures.command(epilog="Example: mmload fixtures build traffic_profiles/burst.toml --set mix.items=1000")
@_profile
@_sets
@plugin_option
@click.option(
    "--processes", type=click.IntRange(0, 256), default=0, help="Drawing processes; default all cores."
)
@json_option
def build(
    profile: Path | None, sets: tuple[str, ...], plugins: tuple[Path, ...], processes: int, as_json: bool
) -> None:
    """Draw the suite of PROFILE (or the default one) into the cache, unless it is there."""
    suite = built(profile, sets, plugins, processes)
    result = describe(suite)
    if as_json:
        print_json(result)
        return
    click.echo(
        f"suite {result['suite_id']}: {counted(result['items'], 'item')}, "
        f"{result['bytes'] / 1e6:,.1f} MB of images"
    )
    for name in ("tasks", "formats", "image_sizes"):
        click.echo(f"  {name:<12} " + ", ".join(f"{k} {v:,}" for k, v in result[name].items()))
    click.echo(f"  {'unanswerable':<12} {result['unanswerable']:,}")
    click.echo(f"  {'folder':<12} {suite.dir}")


@fixtures.command(epilog="Example: mmload fixtures verify traffic_profiles/burst.toml --redraw")
@_profile
@_sets
@plugin_option
@click.option("--redraw", is_flag=True, help="Draw it once more from its seed, and compare.")
@json_option
def verify(
    profile: Path | None, sets: tuple[str, ...], plugins: tuple[Path, ...], redraw: bool, as_json: bool
) -> int:
    """Prove that the suite of PROFILE is the one that its manifest describes. Exits with 2 if it is not.

    With --redraw also that its seed gives the same items and pixels here and now.
    """
    from mmload import corpus
    from mmload.cli._outline import cached_suite
    from mmload.plan import tasks_of

    mix = _mix(profile, sets, plugins)
    suite = cached_suite(mix, tasks_of(mix))
    if suite is None:
        command = "mmload fixtures build" + (f" {profile}" if profile else "")
        raise InputError(f"the suite{f' of {profile}' if profile else ''} is not built; run: {command}")
    problems = corpus.verify(suite) + (_redrawn(mix, suite) if redraw else [])
    if as_json:
        print_json({"suite_id": suite.id, "folder": str(suite.dir), "redrawn": redraw, "problems": problems})
    elif not problems:
        images = sum(len(item.images) for item in suite.items)
        proof = "as the manifest says" + (", and as its seed draws them" if redraw else "")
        amount = f"{counted(len(suite.items), 'item')} and {counted(images, 'image')}"
        click.echo(f"suite {suite.id}: {amount} are {proof}")
    for problem in problems:
        click.echo(f"{suite.dir}: {problem}", err=True)
    return InputError.exit_code if problems else 0


def _redrawn(mix: Mix, suite: Suite) -> list[str]:
    """What is not the same in the suite when it is drawn again."""
    from mmload import corpus
    from mmload.plan import tasks_of

    with tempfile.TemporaryDirectory() as folder, _progress("drawing") as show:
        again = corpus.build(mix, tasks_of(mix), Path(folder), progress=show).manifest
    found = suite.manifest
    problems = [] if again.items_sha256 == found.items_sha256 else ["its seed draws other items"]
    if again.versions != found.versions:
        problems.append(f"it was drawn with {found.versions}, here are {again.versions}")
    changed = sorted(
        name for name in {*again.images, *found.images} if again.images.get(name) != found.images.get(name)
    )
    return problems + [f"{name}: its seed draws another image" for name in changed]


@fixtures.command(epilog="Example: mmload fixtures preview traffic_profiles/burst.toml --out suite.html")
@_profile
@_sets
@plugin_option
@click.option("--out", type=click.Path(path_type=Path), default=Path("suite.html"), show_default=True)
@click.option("--count", type=click.IntRange(1, 500), default=24, show_default=True, help="Items to show.")
@json_option
def preview(
    profile: Path | None,
    sets: tuple[str, ...],
    plugins: tuple[Path, ...],
    out: Path,
    count: int,
    as_json: bool,
) -> None:
    """Show items of the suite of PROFILE: images, truth, and where the evidence is.

    --out ending in .png writes a contact sheet, any other name a page that has the prompts too.
    """
    from mmload import corpus
    from mmload.cli._preview import page

    suite = built(profile, sets, plugins)
    try:
        if out.suffix == ".png":
            corpus.preview(suite, out, count)
        else:
            out.write_text(page(suite, count), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from None
    if as_json:
        print_json({"page": str(out), "suite_id": suite.id})
    else:
        click.echo(f"wrote {out}")


def built(
    profile: Path | None, sets: Sequence[str] = (), plugins: Sequence[Path] = (), processes: int = 0
) -> Suite:
    """The suite of a profile from the cache, drawn into it with a progress bar if need be."""
    from mmload import corpus
    from mmload.plan import tasks_of

    mix = _mix(profile, sets, plugins)
    tasks = tasks_of(mix)
    with _progress("drawing") as show:
        return corpus.build(mix, tasks, corpus.default_cache(), progress=show, processes=processes)


def _mix(profile: Path | None, sets: Sequence[str], plugins: Sequence[Path]) -> Mix:
    """The mix of a profile, or the default one."""
    from mmload.profile import Mix

    if profile is not None:
        return read_profile(profile, sets=sets, plugins=plugins).mix
    if sets:
        raise InputError("--set overrides keys of a profile; give one")
    return Mix()


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while a terminal looks, a line where none does."""
    with ExitStack() as stack:
        bar: Any = None

        def show(done: int, total: int) -> None:
            nonlocal bar
            if bar is None:
                bar = stack.enter_context(click.progressbar(length=total, label=what, file=sys.stderr))
            bar.update(done - bar.pos)

        yield show


def describe(suite: Suite) -> dict[str, Any]:
    """What a suite holds, as counts."""
    images = [image for item in suite.items for image in item.images]
    return {
        "suite_id": suite.id,
        "folder": str(suite.dir),
        "items": len(suite.items),
        "images": len(images),
        "bytes": sum(image.n_bytes for image in images),
        "unanswerable": sum(not item.answerable for item in suite.items),
        "tasks": dict(Counter(item.task for item in suite.items)),
        "formats": dict(Counter(image.format for image in images)),
        "image_sizes": dict(Counter(f"{image.width}x{image.height}" for image in images)),
        "items_sha256": suite.manifest.items_sha256,
        "pixels_sha256": suite.manifest.pixels_sha256,
    }
