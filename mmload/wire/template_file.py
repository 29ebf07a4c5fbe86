"""The TOML file of a custom pipeline: its keys, and one message for each way to get them wrong.

Not aware of what the keys are used for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmload.model import InputError
from mmload.profile.lines import KeyPath, key_lines, nearest_line
from mmload.profile.problems import Problem, dotted, found, model_in, nearest
from mmload.profile.rules import header_problem

MAX_FILE_BYTES: Final = 1024 * 1024


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Part(_Strict):
    """One part of a ``multipart/form-data`` body: give ``text`` or ``image``."""

    name: Annotated[str, Field(min_length=1)]
    text: str | None = None
    """Jinja2 template of a text field."""
    image: Literal["each", "first"] | None = None
    """Upload the bytes of each image as a part of its own, or of the first only."""


class Request(_Strict):
    path: Annotated[str, Field(pattern=r"^/[!-~]*$")]
    """Appended to the target's base URL."""
    method: Literal["POST"] = "POST"
    headers: dict[str, str] = {}
    key_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")] = "Authorization"
    """Header that carries the credential, if the profile names one."""
    key_prefix: Annotated[str, Field(pattern=r"^[ -~]*$")] = "Bearer "
    """Stands before the credential in it."""
    body: str | None = None
    """Jinja2 template of a JSON body. Give this or ``parts``."""
    parts: list[Part] = []


class Paths(_Strict):
    """JMESPath expressions into one JSON value of the target."""

    tokens_in: str | None = None
    tokens_out: str | None = None
    tokens_cached: str | None = None
    finish_reason: str | None = None
    model: str | None = None
    error: str | None = None
    """Whatever it gives but null, false, 0 and the empty makes the answer an error; ``error`` by default."""


class Answer(Paths):
    text: str
    error: str = "error"


class Stream(Paths):
    """Each path that is left out is that of ``answer``."""

    format: Literal["sse", "json-lines"] = "sse"
    delta: str
    """Piece of the content that one event carries."""
    done: str | None = None
    """True in the last event."""


class Poll(_Strict):
    """A pipeline of jobs: what answers the request is not the answer yet, and is asked for until it is."""

    url: str
    """JMESPath of where to ask: a path, or a URL on the same host; where an answer has none, the last one."""
    done: str
    """JMESPath; once it gives anything but null, false, 0 and the empty, ``[answer]`` is read."""
    failed: str | None = None
    """JMESPath; whatever it gives makes the job an error."""
    every_s: Annotated[float, Field(ge=0.01, le=60)] = 0.5
    """Pause before each time that it is asked."""


class TemplateFile(_Strict):
    request: Request
    answer: Answer
    stream: Stream | None = None
    poll: Poll | None = None


def read(path: Path) -> tuple[TemplateFile, bytes]:
    """The file, validated, and its bytes. Raises ``InputError`` with one message for every problem."""
    raw = _bytes(path)
    try:
        text = raw.decode("utf-8-sig")
        data = tomllib.loads(text)
    except UnicodeDecodeError as e:
        raise InputError(f"{path}: not UTF-8 (offset {e.start}); save the file as UTF-8") from None
    except (ValueError, RecursionError) as e:
        raise InputError(f"{path}: not TOML: {e}") from None
    try:
        file = TemplateFile.model_validate(data)
        wrong = _contradictions(file)
    except ValidationError as e:
        wrong = [_problem(detail, data) for detail in e.errors(include_url=False)]
    if wrong:
        lines = key_lines(text)
        raise InputError("\n".join(located(path, problem, lines) for problem in wrong))
    return file, raw


def located(path: Path, problem: Problem, lines: Mapping[KeyPath, int]) -> str:
    line = nearest_line(dict(lines), problem.path)
    return f"{path}{f':{line}' if line else ''}: {dotted(problem.path)}: {problem.text}"


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as e:
        raise InputError(f"target.template: {path}: cannot be read: {e.strerror or e}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise InputError(f"{path}: more than {MAX_FILE_BYTES:,} bytes; that is no template of a request")
    return raw


def _contradictions(file: TemplateFile) -> list[Problem]:
    request, wrong = file.request, []
    if (request.body is None) == (not request.parts):
        have = "neither" if request.body is None else "both"
        wrong.append(Problem(("request",), f"found {have} of body and parts; give one: body for JSON, "
                             "[[request.parts]] for multipart/form-data"))  # fmt: skip
    for number, part in enumerate(request.parts):
        if (part.text is None) == (part.image is None):
            have = "neither" if part.text is None else "both"
            text = f'found {have} of text and image; give one: text = "{{{{ prompt }}}}" or image = "each"'
            wrong.append(Problem(("request", "parts", number), text))
    for header, value in request.headers.items():
        if text := header_problem(header, value):
            wrong.append(Problem(("request", "headers", header), text))
    if file.stream and file.poll:
        wrong.append(
            Problem(("poll",), "a job is asked for until it is done, and not streamed; drop [stream]")
        )
    wrong += _bad_paths("answer", file.answer)
    for table, paths in (("stream", file.stream), ("poll", file.poll)):
        wrong += _bad_paths(table, paths) if paths else []
    return wrong


def _bad_paths(table: str, paths: BaseModel) -> list[Problem]:
    wrong = []
    for key, value in paths.model_dump(exclude_none=True, exclude={"format", "every_s"}).items():
        try:
            jmespath.compile(value)
        except JMESPathError as e:
            said = str(e).splitlines()[0].rstrip(":")
            text = f'found "{value}"; it must be a JMESPath, as "choices[0].message.content" ({said})'
            wrong.append(Problem((table, key), text))
    return wrong


def _problem(detail: Any, data: Any) -> Problem:
    path: KeyPath = detail["loc"]
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        allowed = sorted(_keys_at(path[:-1]))
        hint = nearest(str(path[-1]), allowed) or f"; allowed are {', '.join(allowed)}"
        return Problem(path, f"unknown key{hint}")
    if kind == "missing":
        return Problem(path, "missing; it is needed here")
    wanted = {
        "literal_error": f"allowed is {context.get('expected', '')}".replace("'", '"'),
        "string_type": 'it must be text in quotes, as "abc"',
        "string_too_short": "it must not be empty",
        "string_pattern_mismatch": _PATTERNS.get(str(path[-1]), "it holds a character that is not allowed"),
        "list_type": "it must be a list of tables, each [[request.parts]]",
        "dict_type": "it must be a table",
        "model_type": "it must be a table of keys",
    }
    return Problem(path, f"found {found(value)}; {wanted.get(kind, str(detail['msg']).lower())}")


_PATTERNS: Final = {
    "path": 'it must begin with "/" and hold neither blanks nor characters beyond ASCII',
    "key_header": 'it must be the name of a header, as "X-Api-Key"',
}


def _keys_at(path: KeyPath) -> list[str]:
    model: type[BaseModel] = TemplateFile
    for part in path:
        inner = model_in(model.model_fields[part].annotation) if part in model.model_fields else None
        model = inner or model
    return list(model.model_fields)
