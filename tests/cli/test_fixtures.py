"""``mmload fixtures``: build, verify, preview."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

from PIL import Image

from .conftest import Run


def test_a_suite_is_built_once_and_proved(mmload: Run, small: Path) -> None:
    first = mmload("fixtures", "build", small, "--json")
    assert first.code == 0
    assert first.json["items"] == 6
    assert first.json["tasks"] == {"chart": 6}
    assert mmload("fixtures", "build", small, "--json").json == first.json
    ended = mmload("fixtures", "verify", small)
    assert ended.code == 0
    assert "as the manifest says" in ended.out


def test_its_seed_draws_the_same_suite_again(mmload: Run, small: Path) -> None:
    folder = Path(mmload("fixtures", "build", small, "--json").json["folder"])
    ended = mmload("fixtures", "verify", small, "--redraw")
    assert (ended.code, "as its seed draws them" in ended.out) == (0, True)
    manifest = json.loads((folder / "manifest.json").read_text())
    name = next(iter(manifest["images"]))
    manifest["images"][name][1] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    ended = mmload("fixtures", "verify", small, "--redraw")
    assert ended.code == 2
    assert f"{name}: its seed draws another image" in ended.err


def test_a_changed_image_is_found(mmload: Run, small: Path) -> None:
    folder = Path(mmload("fixtures", "build", small, "--json").json["folder"])
    image = next(path for path in sorted(folder.glob("images/**/*")) if path.is_file())
    image.write_bytes(image.read_bytes() + b"x")
    ended = mmload("fixtures", "verify", small)
    assert ended.code == 2
    assert image.name in ended.err
    assert mmload("fixtures", "verify", small, "--json").json["problems"]


def test_a_suite_that_is_not_built_cannot_be_verified(mmload: Run, small: Path) -> None:
    ended = mmload("fixtures", "verify", small)
    assert ended.code == 2
    assert f"run: mmload fixtures build {small}" in ended.err


def test_without_a_profile_it_is_the_default_suite(mmload: Run) -> None:
    ended = mmload("fixtures", "verify")
    assert (ended.code, ended.err) == (2, "mmload: the suite is not built; run: mmload fixtures build\n")
    assert "give one" in mmload("fixtures", "verify", "--set", "mix.items=5").err


def test_the_preview_is_one_page_without_network(mmload: Run, small: Path, tmp_path: Path) -> None:
    out = tmp_path / "suite.html"
    assert mmload("fixtures", "preview", small, "--out", out, "--count", 4).code == 0
    text = out.read_text()
    HTMLParser().feed(text)
    assert text.count("<article>") == 4
    assert "http://" not in text
    assert "https://" not in text
    assert "default-src 'none'" in text
    assert "<rect" in text


def test_a_preview_named_png_is_a_contact_sheet(mmload: Run, small: Path, tmp_path: Path) -> None:
    out = tmp_path / "suite.png"
    assert mmload("fixtures", "preview", small, "--out", out, "--count", 4).code == 0
    with Image.open(out) as sheet:
        assert sheet.format == "PNG" and sheet.width > 2000


def test_an_unwritable_page_is_exit_code_2(mmload: Run, small: Path, tmp_path: Path) -> None:
    ended = mmload("fixtures", "preview", small, "--out", tmp_path / "none" / "suite.html")
    assert ended.code == 2
    assert "cannot be written" in ended.err


def test_a_task_that_does_not_exist_is_named_before_anything_is_drawn(mmload: Run, small: Path) -> None:
    small.write_text(small.read_text().replace("chart = 1", "chrat = 1"))
    ended = mmload("fixtures", "build", small)
    assert ended.code == 2
    assert 'did you mean "chart"?' in ended.err
