"""A page to look at a suite: each item's image with its evidence framed, its prompt and its truth.

One file, no network, no script. Not aware of how items are drawn.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

import jinja2

from mmload.model import Item

if TYPE_CHECKING:
    from mmload.corpus import Suite

_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><title>Suite {{ suite.id }}</title>
<style>
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem; }
article { border-top: 1px solid #8886; display: grid; gap: 1rem; padding: 1rem 0; }
@media (min-width: 50rem) { article { grid-template-columns: 1fr 1fr; } }
svg { width: 100%; height: auto; max-height: 36rem; border: 1px solid #8886; }
rect { fill: none; stroke: #d55e00; stroke-width: 2; vector-effect: non-scaling-stroke; }
text { fill: #d55e00; stroke: #fff; stroke-width: .25em; paint-order: stroke; font-family: system-ui; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 16rem; overflow: auto; background: #8882;
      padding: .5rem; }
</style>
<h1>Suite {{ suite.id }}</h1>
<p>{{ items|length }} of {{ suite.items|length }} items. Orange frames: what must be read to answer, by the
name of the evidence.</p>
{% for item in items %}<article><div>
{% for image in item.pictures %}<svg viewBox="0 0 {{ image.width }} {{ image.height }}" role="img"
 aria-label="image of item {{ item.index }}"><image href="{{ image.url }}" width="{{ image.width }}"
 height="{{ image.height }}"/>{% for name, x, y, w, h in image.boxes %}<rect x="{{ x }}" y="{{ y }}"
 width="{{ w }}" height="{{ h }}"/><text x="{{ x }}" y="{{ y - 2 }}"
 font-size="{{ image.width / 60 }}">{{ name }}</text>
{% endfor %}</svg>{% endfor %}
</div><div><h2>{{ item.index }}: {{ item.task }}{{ "" if item.answerable else ", unanswerable" }}</h2>
<p>{{ item.facts }}</p><h3>Prompt</h3><pre>{{ item.prompt }}</pre><h3>Truth</h3><pre>{{ item.truth }}</pre>
</div></article>
{% endfor %}</html>
"""


def page(suite: Suite, count: int) -> str:
    """HTML of ``count`` items, evenly spread over the suite."""
    step = max(1, len(suite.items) // count)
    chosen = suite.items[::step][:count]
    environment = jinja2.Environment(autoescape=True)
    return environment.from_string(_PAGE).render(suite=suite, items=[_shown(suite, item) for item in chosen])


def _shown(suite: Suite, item: Item) -> dict[str, Any]:
    return {
        "index": item.index,
        "task": item.task,
        "answerable": item.answerable,
        "facts": ", ".join(
            [*(f"{k} {v}" for k, v in item.slices.items()), f"about {item.prompt_tokens:,} tokens"]
        ),
        "prompt": item.prompt,
        "truth": json.dumps(item.truth.get("answer"), indent=1, ensure_ascii=False),
        "pictures": [_picture(suite, item, number) for number in range(len(item.images))],
    }


def _picture(suite: Suite, item: Item, number: int) -> dict[str, Any]:
    image = item.images[number]
    data = base64.b64encode((suite.dir / image.file).read_bytes()).decode()
    boxes = [(e["id"], *e["bbox"]) for e in item.evidence if e.get("bbox") and e.get("image") == number]
    return {
        "width": image.width,
        "height": image.height,
        "url": f"data:image/{image.format};base64,{data}",
        "boxes": [(name, x0, y0, x1 - x0, y1 - y0) for name, x0, y0, x1, y1 in boxes],
    }
