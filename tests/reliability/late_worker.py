"""A worker that connects, and listens two seconds later: ``python late_worker.py --master-port P``."""

import gevent
from locust.env import Environment  # patches the standard library

from mmload.drive import worker

started = worker.Worker.__init__


def late(self: worker.Worker, *arguments: object) -> None:
    gevent.sleep(2)
    started(self, *arguments)


assert Environment is not None
worker.Worker.__init__ = late
worker.main()
