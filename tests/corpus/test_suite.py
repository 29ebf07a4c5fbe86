from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from task_samples import TASKS

from mmload import corpus
from mmload.corpus.bodies import streams
from mmload.corpus.suite import pixel_hash
from mmload.model import InputError, Turn
from mmload.profile import Mix

ALL = Mix(
    items=36,
    tasks=dict.fromkeys(TASKS, 1.0),
    images={
        "xs": {"width": 256, "height": 256, "weight": 1},
        "m": {"width": 800, "height": 600, "weight": 1},
    },
    variants={"clean": 0.7, "jpeg@3": 0.15, "rotation@2": 0.15},
    images_per_request={"1": 0.8, "2": 0.2},
)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> corpus.Suite:
    return corpus.build(ALL, TASKS, tmp_path_factory.mktemp("cache"), processes=1)


def test_a_built_suite_is_what_its_manifest_says(suite: corpus.Suite) -> None:
    assert corpus.verify(suite) == []
    assert corpus.load(suite.dir).items == suite.items
    assert [item.index for item in suite.items] == list(range(len(suite.items)))
    assert len(corpus.nonces(suite)) == len(suite.items)


def test_images_are_sent_in_the_format_and_size_that_they_claim(suite: corpus.Suite) -> None:
    for item in suite.items:
        for image in item.images:
            with Image.open(suite.dir / image.file) as opened:
                assert (opened.format or "").lower() == image.format
                assert opened.size == (image.width, image.height)


def test_a_second_build_takes_the_suite_from_the_cache(suite: corpus.Suite) -> None:
    before = (suite.dir / "manifest.json").stat().st_mtime_ns
    again = corpus.build(ALL, TASKS, suite.dir.parents[1], processes=1)
    assert again.items == suite.items and (suite.dir / "manifest.json").stat().st_mtime_ns == before


def test_two_processes_draw_identical_pixels(suite: corpus.Suite, tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\nfrom pathlib import Path\nfrom mmload import corpus\n"
        "from task_samples import TASKS\nfrom mmload.profile import Mix\n"
        "mix = Mix.model_validate_json(sys.argv[3])\n"
        "print(corpus.build(mix, TASKS, Path(sys.argv[1]), processes=1).manifest.pixels_sha256)"
    )
    here = str(Path(__file__).parents[1])
    run = [sys.executable, "-c", script, str(tmp_path), here, ALL.model_dump_json()]
    told = subprocess.run(
        run, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "77"}
    )
    assert told.stdout.strip() == suite.manifest.pixels_sha256


def test_a_pool_draws_what_one_process_draws(suite: corpus.Suite, tmp_path: Path) -> None:
    pooled = corpus.build(ALL, TASKS, tmp_path, processes=2)
    assert pooled.manifest.pixels_sha256 == suite.manifest.pixels_sha256 and pooled.items == suite.items


def test_pixels_do_not_depend_on_the_answerable_twin_being_asked_for(suite: corpus.Suite) -> None:
    by_id = {item.id: item for item in suite.items}
    pairs = [(i, by_id[i.twin]) for i in suite.items if i.twin and not i.answerable and not i.severity]
    assert pairs
    for blind, twin in pairs:
        assert blind.prompt.split()[0:3] == twin.prompt.split()[0:3] and blind.nonce != twin.nonce
        assert [i.width for i in blind.images] == [i.width for i in twin.images]


def test_damage_is_found_and_named(suite: corpus.Suite, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "suite"
    shutil.copytree(suite.dir, copy)
    victim = suite.items[0].images[0].file
    (copy / victim).write_bytes((copy / victim).read_bytes()[:-9] + b"tampered!")
    gone = suite.items[1].images[0].file
    (copy / gone).unlink()
    lines = (copy / "items.jsonl").read_text()
    (copy / "items.jsonl").write_text(lines.replace('"answerable":true', '"answerable":false', 1))
    problems = corpus.verify(corpus.load(copy))
    assert {p.split(":")[0] for p in problems} == {victim, gone, "items.jsonl"}


@pytest.mark.parametrize("damage", ["missing", "not json", "short"])
def test_what_is_no_suite_is_refused(suite: corpus.Suite, tmp_path: Path, damage: str) -> None:
    (tmp_path / "manifest.json").write_bytes((suite.dir / "manifest.json").read_bytes())
    if damage == "not json":
        (tmp_path / "items.jsonl").write_text("{")
    if damage == "short":
        (tmp_path / "items.jsonl").write_text((suite.dir / "items.jsonl").read_text().split("\n")[0] + "\n")
    with pytest.raises(InputError, match=str(tmp_path)):
        corpus.load(tmp_path)


def test_strata_are_task_size_and_answerable(suite: corpus.Suite) -> None:
    numbers = corpus.strata(suite)
    keys = {(i.task, i.slices["image_size"], i.answerable) for i in suite.items}
    assert len(set(numbers.tolist())) == len(keys) and numbers.max() == len(keys) - 1


def test_bodies_hold_every_item_once_and_are_cached(suite: corpus.Suite) -> None:
    calls = []

    def encode(item: object, images: list[bytes], history: list[Turn]) -> bytes:
        calls.append(item)
        flag = b"S" if item.streaming else b"-"
        return flag + b"|".join([str(len(i)).encode() for i in images])

    bodies = corpus.encode(suite, encode, "test", streaming=0.5)
    data = bodies.file.read_bytes()
    assert len(data) == int(bodies.offset[-1] + bodies.length[-1]) and len(calls) == len(suite.items)
    assert not np.any(bodies.offset % 4096) and np.all(np.diff(bodies.offset) >= bodies.length[:-1])
    for k, item in enumerate(suite.items):
        part = data[bodies.offset[k] : bodies.offset[k] + bodies.length[k]]
        assert part[1:] == b"|".join(str(i.n_bytes).encode() for i in item.images)
        assert (part[:1] == b"S") == bool(bodies.stream[k]) == streams(item.id, 0.5)
    again = corpus.encode(suite, encode, "test", streaming=0.5)
    assert len(calls) == len(suite.items) and again.sha256 == bodies.sha256
    assert corpus.encode(suite, encode, "other", streaming=0.0).stream.sum() == 0
    bodies.file.write_bytes(b"cut")
    assert corpus.encode(suite, encode, "test", streaming=0.5).sha256 == bodies.sha256


def test_a_larger_streamed_share_keeps_the_smaller_ones_items() -> None:
    ids = [f"{k:016x}" for k in range(2000)]
    few, many = ({i for i in ids if streams(i, s)} for s in (0.2, 0.6))
    assert few < many and 300 < len(few) < 500 and 1100 < len(many) < 1300


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        corpus.build(ALL, TASKS, blocked, processes=1)


def test_an_impossible_size_is_said_with_its_key(tmp_path: Path) -> None:
    wide = Mix(items=4, tasks={"extract": 1}, images={"strip": {"width": 4000, "height": 256, "weight": 1}})
    corpus.build(wide, TASKS, tmp_path, processes=1)
    with pytest.raises(InputError, match=r'no degradation "melt"'):
        corpus.build(Mix(items=4, tasks={"ui": 1}, variants={"melt@1": 1}), TASKS, tmp_path, processes=1)


def test_a_contact_sheet_shows_every_task(suite: corpus.Suite, tmp_path: Path) -> None:
    from mmload.corpus.preview import chosen, preview

    assert {i.task for i in chosen(suite, 40)} == set(TASKS)
    preview(suite, tmp_path / "sheet.png", 12)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 2000 and len(sheet.getcolors(10**7) or []) > 500


def test_the_default_suite_has_the_pixels_that_the_fixtures_record() -> None:
    """A change of what is drawn must come with a new task version and a new record."""
    from mmload.corpus.build import versions

    recorded = json.loads((Path(__file__).parents[2] / "fixtures" / "golden.json").read_text())
    drawn = {k: v for k, v in versions().items() if k in ("pillow", "freetype")}
    if drawn != {k: recorded["versions"][k] for k in drawn}:
        return  # other rasters, another record: identity holds per pair of library versions
    import random

    for name, record in recorded["tasks"].items():
        from mmload.tasks import Want

        task = TASKS[name]
        want = Want(**record["want"])
        image = task.draw(random.Random(record["seed"]), want).images[0]
        import io

        out = io.BytesIO()
        image.save(out, "PNG")
        assert (task.version, pixel_hash(out.getvalue())) == (record["version"], record["pixels_sha256"]), (
            name
        )


def test_items_are_plain_records(suite: corpus.Suite) -> None:
    for item in suite.items[:5]:
        assert json.loads(json.dumps(dataclasses.asdict(item)))["id"] == item.id
