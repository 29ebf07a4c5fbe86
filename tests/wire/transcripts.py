"""Good answers of every protocol, byte by byte as their servers send them."""

import json
from dataclasses import replace

from mmload.model import ImageFile, Item, Turn

ITEM = Item(
    index=0, id="a", task="t", variant="clean", severity=0, answerable=True, twin="", slices={},
    images=(ImageFile("x.png", 2, 2, "png", None, "", 3), ImageFile("y.jpg", 2, 2, "jpeg", 85, "", 4)),
    system="be brief", prompt='what is "this"?', prompt_tokens=2, truth={}, evidence=(), nonce="",
    canaries=(), max_tokens=77,
)  # fmt: skip
ONE_IMAGE = Item(
    index=0, id="b", task="t", variant="clean", severity=0, answerable=True, twin="", slices={},
    images=ITEM.images[:1], system="", prompt="what?", prompt_tokens=2, truth={}, evidence=(), nonce="",
    canaries=(),
)  # fmt: skip
HISTORY = [Turn(ONE_IMAGE, [b"one"], '{"a": 1}'), Turn(replace(ONE_IMAGE, images=(), prompt="and?"), [], "b")]
"""What was said before ``ITEM``: a question about a picture, and another about the same."""


def sse(*events: dict[str, object], named: bool = True) -> bytes:
    """Events under the name that their ``type`` says."""
    out = b""
    for event in events:
        out += f"event: {event['type']}\n".encode() if named else b""
        out += b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"
    return out


# --- OpenAI responses -------------------------------------------------------------------------

RESPONSES_USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
    "output_tokens": 3,
    "output_tokens_details": {"reasoning_tokens": 1},
    "total_tokens": 14,
}


def response(status: str, output: list[dict[str, object]], **more: object) -> dict[str, object]:
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "m-1",
        "error": None, "incomplete_details": None, "output": output, "usage": None,
        "parallel_tool_calls": True, "tools": [],
        "tool_choice": "auto", "instructions": None, "metadata": {}, "temperature": 1.0, "top_p": 1.0,
        **more,
    }  # fmt: skip


def output_text(text: str) -> dict[str, object]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def text_delta(text: str, number: int) -> dict[str, object]:
    return {
        "type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0,
        "delta": text, "sequence_number": number, "logprobs": [],
    }  # fmt: skip


CREATED = {
    "type": "response.created",
    "sequence_number": 0,
    "response": response("in_progress", []),
}
COMPLETED = {
    "type": "response.completed",
    "sequence_number": 9,
    "response": response("completed", [output_text("Hi you")], usage=RESPONSES_USAGE),
}
RESPONSES_STREAM = sse(CREATED, text_delta("Hi", 1), text_delta(" you", 2), COMPLETED)
RESPONSES_WHOLE = json.dumps(response("completed", [output_text("Hi you")], usage=RESPONSES_USAGE)).encode()
FUNCTION_CALL = {
    "type": "function_call", "id": "fc_1", "call_id": "c1", "name": "answer", "arguments": '{"a":1}',
    "status": "completed",
}  # fmt: skip
ARGUMENTS = [
    {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 0, "delta": d,
     "sequence_number": n} for n, d in enumerate(('{"a"', ":1}"), 1)
]  # fmt: skip

# --- Anthropic messages -----------------------------------------------------------------------

MESSAGES_USAGE = {
    "input_tokens": 5,
    "cache_creation_input_tokens": 2,
    "cache_read_input_tokens": 4,
    "output_tokens": 3,
}


def message(content: list[dict[str, object]], stop: str | None, **usage: object) -> dict[str, object]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "content": content,
        "stop_reason": stop, "stop_sequence": None, "usage": {**MESSAGES_USAGE, **usage},
    }  # fmt: skip


MESSAGE_START: dict[str, object] = {"type": "message_start", "message": message([], None, output_tokens=1)}
PING: dict[str, object] = {"type": "ping"}


def block_start(number: int, **block: object) -> dict[str, object]:
    return {"type": "content_block_start", "index": number, "content_block": block}


def block_delta(number: int, **delta: object) -> dict[str, object]:
    return {"type": "content_block_delta", "index": number, "delta": delta}


def block_stop(number: int) -> dict[str, object]:
    return {"type": "content_block_stop", "index": number}


def message_delta(stop: str, **usage: object) -> dict[str, object]:
    return {
        "type": "message_delta",
        "delta": {"stop_reason": stop, "stop_sequence": None},
        "usage": {"output_tokens": 3, **usage},
    }


MESSAGE_STOP: dict[str, object] = {"type": "message_stop"}
MESSAGES_STREAM = sse(
    MESSAGE_START,
    block_start(0, type="text", text=""),
    PING,
    block_delta(0, type="text_delta", text="Hi"),
    block_delta(0, type="text_delta", text=" you"),
    block_stop(0),
    message_delta("end_turn"),
    MESSAGE_STOP,
)
MESSAGES_WHOLE = json.dumps(message([{"type": "text", "text": "Hi you"}], "end_turn")).encode()
MESSAGES_TOOL_STREAM = sse(
    MESSAGE_START,
    block_start(0, type="tool_use", id="t1", name="answer", input={}),
    block_delta(0, type="input_json_delta", partial_json=""),
    block_delta(0, type="input_json_delta", partial_json='{"a"'),
    block_delta(0, type="input_json_delta", partial_json=":1}"),
    block_stop(0),
    message_delta("tool_use"),
    MESSAGE_STOP,
)

# --- OpenAI chat completions ------------------------------------------------------------------

CHAT_USAGE = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
CHAT_STREAM = b"".join(
    b"data: " + json.dumps({"object": "chat.completion.chunk", "model": "m-1", **body}).encode() + b"\n\n"
    for body in (
        {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {"content": " you"}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": CHAT_USAGE},
    )
) + b"data: [DONE]\n\n"  # fmt: skip
CHAT_WHOLE = json.dumps(
    {"id": "c", "object": "chat.completion", "created": 1, "model": "m-1", "usage": CHAT_USAGE,
     "choices": [{"index": 0, "message": {"content": "Hi you"}, "finish_reason": "stop"}]}
).encode()  # fmt: skip
