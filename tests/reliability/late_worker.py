"""A worker that connects, and is deaf until ``LISTEN`` exists: ``python late_worker.py --master-port P``."""

import os
from pathlib import Path

import gevent
from locust.env import Environment  # patches the standard library

from mmload.drive import worker

started = worker.Worker.__init__


def late(self: worker.Worker, *arguments: object) -> None:
    while not Path(os.environ["LISTEN"]).exists():
        gevent.sleep(0.1)
    started(self, *arguments)


assert Environment is not None
worker.Worker.__init__ = late
worker.main()
