"""Find the requests per minute that a multimodal LLM pipeline sustains at quality."""

__version__ = "0.1.0"
