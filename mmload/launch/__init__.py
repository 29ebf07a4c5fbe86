"""Starts the processes of a run, watches them, and turns what they wrote down into a run folder.

A plain process: no gevent, no aiohttp. Not aware of how a request is sent or scored.
"""

from mmload.launch.finish import Finished, finish
from mmload.launch.options import RunOptions
from mmload.launch.run import run

__all__ = ["Finished", "RunOptions", "finish", "run"]
