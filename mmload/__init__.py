"""Find the requests per minute that a multimodal LLM pipeline sustains at quality."""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Lazily, so that no process that sends or serves loads what reads frames.
    if name == "load_run":
        from importlib import import_module

        return import_module("mmload.report.frames").load_run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
