"""Asks an OpenAI-compatible endpoint what it is: its models, whether it streams, whether it takes images.

Three small requests, for ``mmload init``. Not aware of profiles. Follows no redirect, so that a key never
reaches another host.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from mmload.launch.target import connection_to, hung_up_after
from mmload.model import InputError

_TIMEOUT_S: Final = 30.0
_MAX_BODY: Final = 4 * 1024 * 1024
_QUESTION: Final = "What colour is this picture? One word."


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What was found."""

    url: str
    """Base URL that answered."""
    models: list[str]
    """Empty if the endpoint does not list them."""
    model: str
    streams: bool
    images: bool
    answer_s: float | None
    """Seconds that the small question took; None if it was not answered."""
    note: str = ""
    """Why the question was not answered."""


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    kind: str
    body: bytes
    seconds: float

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def probe(url: str, model: str | None, key: str | None) -> Endpoint:
    """Look at an endpoint. ``url`` may lack its ``/v1``, or go on to the path of the chat.

    Raises ``InputError`` if it cannot be reached, speaks no HTTP, refuses the key, or no model is known.
    """
    given = url.rstrip("/").removesuffix("/chat/completions")
    base, models, why = _models(given, key)
    chosen = model or (models[0] if models else None)
    if chosen is None:
        raise InputError(f"{base}: it lists no models{why}; name one with --model")
    if models and chosen not in models:
        raise InputError(f'{base}: it has no model "{chosen}"; it lists {", ".join(models[:10])}')
    reply = _ask(base, chosen, key, image=True, stream=False)
    images = reply.status == 200
    if not images:
        reply = _ask(base, chosen, key, image=False, stream=False)
    if reply.status != 200:
        return Endpoint(base, models, chosen, False, False, None, _said(reply))
    streamed = _ask(base, chosen, key, image=images, stream=True)
    streams = streamed.status == 200 and streamed.kind.startswith("text/event-stream")
    return Endpoint(base, models, chosen, streams, images, reply.seconds)


def _models(base: str, key: str | None) -> tuple[str, list[str], str]:
    """The base URL that answers, as given or with ``/v1``, its models, and why it lists none."""
    answered: list[tuple[str, _Reply]] = []
    for candidate in (base, f"{base}/v1"):
        reply = _request("GET", f"{candidate}/models", key, None)
        answered.append((candidate, reply))
        listed = reply.json()
        if reply.status == 200 and isinstance(listed, dict) and isinstance(listed.get("data"), list):
            entries = [entry.get("id") for entry in listed["data"] if isinstance(entry, dict)]
            return candidate, [entry for entry in entries if isinstance(entry, str)], ""
        if reply.status in (401, 403):
            wants = "it refuses the key" if key else "it wants a key; name its variable with --api-key-env"
            raise InputError(f"{candidate}: HTTP {reply.status}: {wants}")
    # Some pipelines have no list of models; the chat itself will tell.
    found, reply = next(((c, r) for c, r in answered if r.status != 404), answered[0])
    return found, [], "" if reply.status in (200, 404) else f" ({_said(reply)})"


def _ask(base: str, model: str, key: str | None, *, image: bool, stream: bool) -> _Reply:
    parts: list[dict[str, Any]] = [{"type": "text", "text": _QUESTION}]
    if image:
        parts.append({"type": "image_url", "image_url": {"url": _picture()}})
    body = {
        "model": model,
        "messages": [{"role": "user", "content": parts if image else _QUESTION}],
        "max_tokens": 16,
        "stream": stream,
    }
    return _request("POST", f"{base}/chat/completions", key, json.dumps(body).encode())


def _picture() -> str:
    from PIL import Image

    data = io.BytesIO()
    Image.new("RGB", (256, 256), (200, 30, 30)).save(data, "PNG")
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()


def _request(method: str, url: str, key: str | None, body: bytes | None) -> _Reply:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f'{url}: not a URL as "http://127.0.0.1:8000/v1"')
    headers = {"Accept-Encoding": "identity"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if key:
        headers["Authorization"] = f"Bearer {key}"
    connection = connection_to(parts, _TIMEOUT_S, tls_verify=True)
    start = time.perf_counter()
    try:
        with hung_up_after(connection, _TIMEOUT_S):
            connection.request(method, parts.path or "/", body, headers)
            response = connection.getresponse()
            data = response.read(_MAX_BODY)
        return _Reply(
            response.status, response.getheader("Content-Type", ""), data, time.perf_counter() - start
        )
    except TimeoutError:
        raise InputError(f"{url}: no answer within {_TIMEOUT_S:g} s") from None
    except http.client.HTTPException as error:
        raise InputError(f"{url}: does not speak HTTP: {type(error).__name__}: {str(error)[:60]!r}") from None
    except OSError as error:
        raise InputError(
            f"{url}: cannot be reached: {error.strerror or error}; is the pipeline running?"
        ) from None
    finally:
        connection.close()


def _said(reply: _Reply) -> str:
    found = reply.json()
    error = found.get("error") if isinstance(found, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    text = message if isinstance(message, str) else reply.body[:120].decode("utf-8", "replace")
    return f"HTTP {reply.status}: {' '.join(text.split())[:160]}"
