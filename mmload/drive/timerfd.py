"""A timer of nanosecond grain that the hub can watch (Linux timerfd, through ctypes until Python 3.13).

libev's own timers go through epoll's millisecond timeout: half of their wake-ups are 0.7 ms late.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

_CLOCK_MONOTONIC: Final = 1
_ABSTIME: Final = 1
_NS: Final = 1_000_000_000


class TimerFd:
    """Fires once at an instant of the monotonic clock. Raises ``OSError`` where there is none."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "timerfd_create"):
            raise OSError("this system has no timerfd")
        self._settime = libc.timerfd_settime
        self._settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        self.fd: int = libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            errno = ctypes.get_errno()
            raise OSError(errno, os.strerror(errno))
        # struct itimerspec: seconds and nanoseconds of the interval, then of the instant
        self._spec = (ctypes.c_long * 4)()
        self._address = ctypes.addressof(self._spec)

    def arm(self, at_ns: int) -> None:
        """Fire at ``at_ns`` (monotonic); at once if that has passed. An expiry not yet seen is forgotten."""
        self._spec[2], self._spec[3] = divmod(at_ns, _NS) if at_ns > 0 else (0, 1)
        self._settime(self.fd, _ABSTIME, self._address, None)
