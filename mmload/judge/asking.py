"""What a judge is asked, and how its reply is read. Pure: no sockets, no clock.

The answer under test is data: it travels as a string inside a JSON object, so no text of it can end the
data and begin an instruction, and the prompt says so. The reply must be one JSON object of two known keys.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from mmload.model import Item
from mmload.price import image_tokens
from mmload.profile import Judge
from mmload.score.envelope import loads, unfenced
from mmload.tasks.prompts import JUDGE, prompt

MAX_ANSWER: Final = 16_000
"""Characters of an answer that are shown; the prompt is told when there were more."""
_CHARS_PER_TOKEN: Final = 4


class Reply(NamedTuple):
    """What one request to the judge came to."""

    correct: bool | None
    error: str
    tokens_in: int | None
    tokens_out: int | None


def chosen(seed: int, seq: int, share: float) -> bool:
    """Whether the answer to request ``seq`` is judged: with probability ``share``, by nothing but a hash."""
    digest = hashlib.blake2b(f"judge:{seed}:{seq}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2.0**64


def request(judge: Judge, item: Item, answer: str, images: Sequence[bytes] = ()) -> bytes:
    """Body of a chat completion. ``images`` are the files of the item, in its order."""
    case = {
        "question": item.prompt,
        "expected": expected(item),
        "answer_under_test": answer[:MAX_ANSWER],
        "answer_was_cut": len(answer) > MAX_ANSWER,
    }
    content: Any = json.dumps(case, ensure_ascii=False)
    if images:
        shown = [
            {"type": "image_url", "image_url": {"url": _data_url(file.format, data)}}
            for file, data in zip(item.images, images, strict=True)
        ]
        content = [{"type": "text", "text": content}, *shown]
    messages = [
        {"role": "system", "content": prompt(*JUDGE)},
        {"role": "user", "content": content},
    ]
    return json.dumps({**judge.body, "model": judge.model, "messages": messages}).encode()


def expected(item: Item) -> dict[str, Any]:
    """Status and answer that are right; what else the truth holds is for scorers."""
    status = item.truth.get("status") or ("answered" if item.answerable else "insufficient_evidence")
    return {"status": status, "answer": item.truth.get("answer")}


def _data_url(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def read(raw: bytes, likely_in: int | None) -> Reply:
    """The verdict in a chat completion; ``likely_in`` stands in where it does not tell its tokens."""
    found = loads(raw.decode("utf-8", "replace"))
    text = _content(found)
    tokens_in, tokens_out = _usage(found)
    if tokens_in is None or tokens_out is None:
        tokens_in, tokens_out = likely_in, -(-len(text) // _CHARS_PER_TOKEN)
    correct = _correct(text)
    return Reply(correct, "bad_verdict" if correct is None else "", tokens_in, tokens_out)


def likely_tokens(judge: Judge, item: Item, answer: str) -> int | None:
    """Estimate of the input of one request: 4 characters a token, each image by the model's own rule.

    None if images are shown and no rule is known for the model.
    """
    texts = (prompt(*JUDGE), item.prompt, json.dumps(expected(item)), answer[:MAX_ANSWER])
    tokens = -(-sum(map(len, texts)) // _CHARS_PER_TOKEN)
    for file in item.images if judge.images else ():
        image = image_tokens(judge.model, file.width, file.height)
        if image is None:
            return None
        tokens += image
    return tokens


def _content(found: Any) -> str:
    try:
        content = found["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return ""
    return content if isinstance(content, str) else ""


def _usage(found: Any) -> tuple[int | None, int | None]:
    usage = found.get("usage") if isinstance(found, Mapping) else None
    if not isinstance(usage, Mapping):
        return None, None
    return _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**40 else None


def _correct(text: str) -> bool | None:
    said = loads(unfenced(text.strip()) or text)
    if (
        not isinstance(said, dict)
        or said.keys() != {"correct", "reason"}
        or not isinstance(said["reason"], str)
    ):
        return None
    return said["correct"] if isinstance(said["correct"], bool) else None
