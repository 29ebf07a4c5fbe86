"""Makes text that came from a target, a profile or a machine safe to write down.

Model output is hostile until shown otherwise: it may hold markup, terminal escape sequences, table
pipes, characters that XML forbids, and secrets. HTML is escaped by the template engine; here is the
rest. Not aware of what the text means.
"""

from __future__ import annotations

import hashlib
import re
from xml.sax.saxutils import escape as _xml_escape

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_BIDI = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")

_DATA_URL = re.compile(r"data:([a-z]+/[a-z0-9.+-]+);base64,([A-Za-z0-9+/=%]{16,})", re.IGNORECASE)
_USERINFO = re.compile(r"(https?://)[^\s/@:]+:[^\s/@]+@")
_QUERY = re.compile(r"(https?://[^\s?#\"'<>]+)\?[^\s\"'<>]+")
_HEADER = re.compile(
    r"(?i)\b((?:proxy-)?authorization|x-api-key|api-key|set-cookie|cookie|x-goog-api-key)"
    r"(\"?'?\s*[:=]\s*\"?'?)([^\r\n\"']{3,})"
)
_TOKENS = re.compile(
    r"\b(?:Bearer\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|sk-[A-Za-z0-9_-]{8,}|sk_(?:live|test)_[A-Za-z0-9]{8,}"
    r"|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)"
)
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_MARKS = (
    "data:", "://", "-----begin", "authorization", "api-key", "cookie", "bearer", "sk-", "sk_", "ghp_",
    "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "akia", "asia", "aiza", "xox", "eyj",
)  # fmt: skip
"""Without one of these, in small letters, no pattern can match: most text is through in a tenth of the
time."""


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Replace keys, credentials, cookies, queries of URLs and data URLs by what they were.

    ``secrets`` are values known to the caller (the API key of the run); they go first, wherever they
    stand. A data URL becomes its type, length and hash, so that equal pictures stay recognisable.
    """
    text = without(text, secrets)
    small = text.lower()
    if not any(mark in small for mark in _MARKS):
        return text
    text = _DATA_URL.sub(_data_url, text)
    text = _PEM.sub("[private key]", text)
    text = _HEADER.sub(r"\1\2[secret]", text)
    text = _TOKENS.sub("[secret]", text)
    text = _USERINFO.sub(r"\1[secret]@", text)
    return _QUERY.sub(r"\1?[query]", text)


def without(text: str, secrets: tuple[str, ...]) -> str:
    """Each of the known ``secrets`` replaced wherever it stands; nothing else."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "[secret]")
    return text


def _data_url(match: re.Match[str]) -> str:
    body = match[2]
    digest = hashlib.sha256(body.encode()).hexdigest()[:12]
    return f"[{match[1]}, {len(body)} base64 characters, sha256 {digest}]"


def visible(text: str) -> str:
    """Without escape sequences, control characters, lone surrogates and direction overrides."""
    text = _ANSI.sub("", text)
    return _BIDI.sub("", _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


def one_line(text: str, limit: int = 200) -> str:
    """``visible`` text on one line, cut at ``limit`` characters with an ellipsis."""
    flat = " ".join(visible(text).split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def markdown_cell(text: str) -> str:
    """For a cell of a GitHub table: no markup, link, mention or HTML of the text takes effect."""
    flat = one_line(text, 400)
    flat = flat.replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    flat = re.sub(r"([|`*_\[\]~#!])", r"\\\1", flat)
    return re.sub(r"@(?=\w)", "@\N{ZERO WIDTH SPACE}", flat).replace("://", ":\N{ZERO WIDTH SPACE}//")


def xml_text(text: str) -> str:
    """For XML 1.0 text and attributes: forbidden characters replaced, markup escaped."""
    return _xml_escape(visible(text), {'"': "&quot;", "'": "&apos;"})


def terminal(text: str) -> str:
    """For a terminal: nothing that could move the cursor or change colours."""
    return one_line(text, 200)
