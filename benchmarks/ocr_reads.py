"""How much of the extraction items an OCR reads, clean and under each severity of some degradations.

Writes ``docs/images/ocr-degradations.svg`` and the figures beside it as JSON. Takes some minutes:
``python benchmarks/ocr_reads.py [items for blur] [items for the others]``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402  # the path must be set first
from matplotlib.figure import Figure  # noqa: E402
from ocr_reader import Reader, item, read_fields  # noqa: E402

SIZES = ((512, 512), (320, 320), (640, 640), (256, 256))
VARIANTS = ("gaussian_blur", "gaussian_noise", "jpeg", "contrast", "pixelate")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v")


def share(reader: Reader, count: int, variant: str, severity: int) -> tuple[int, int]:
    """(values read right, values) over ``count`` items; items that a severity makes unreadable by its own
    rule still count, by the evidence that their clean twin has."""
    right = total = 0
    for seed in range(count):
        width, height = SIZES[seed % len(SIZES)]
        clean = item(seed, width, height)
        if severity:
            clean.images = item(seed, width, height, variant, severity).images
        found = list(read_fields(reader, clean))
        right += sum(ok for _, ok in found)
        total += len(found)
    return right, total


def plot(curves: dict[str, list[float]], path: Path) -> None:
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for (name, values), colour, marker in zip(curves.items(), COLOURS, MARKERS, strict=True):
        width = 2.4 if name == "gaussian_blur" else 1.4
        axes.plot(
            range(6), [100 * v for v in values], color=colour, marker=marker, linewidth=width, label=name
        )
    axes.axhline(95, color="#666666", linestyle=":", linewidth=1)
    axes.set(xlabel="severity (0: clean)", ylabel="values read right, %", ylim=(-3, 103))
    axes.set_title("What an OCR still reads of the extraction items", fontsize=11)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    figure.savefig(path.with_suffix(".png"), dpi=130, metadata={"Software": None})


def main() -> None:
    many, few = (int(a) for a in (*sys.argv[1:], "16", "8")[:2])
    reader = Reader()
    figures: dict[str, list[tuple[int, int]]] = {}
    for variant in VARIANTS:
        count = many if variant == "gaussian_blur" else few
        figures[variant] = [share(reader, count, variant, severity) for severity in range(6)]
        print(variant, count, [f"{r}/{n}" for r, n in figures[variant]], flush=True)
    folder = ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ocr-degradations.json").write_text(json.dumps(figures) + "\n")
    plot({k: [r / n for r, n in v] for k, v in figures.items()}, folder / "ocr-degradations.svg")


if __name__ == "__main__":
    main()
