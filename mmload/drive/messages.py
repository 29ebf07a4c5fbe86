"""Names of the messages between master and workers, carried by Locust's own transport."""

from typing import Final

PLAN: Final = "mmload_plan"
"""Master to worker: profile and target. The worker makes itself ready."""
READY: Final = "mmload_ready"
"""Worker to master: index and workload fingerprint, or why it cannot take part."""
GO: Final = "mmload_go"
"""Master to workers: the wall time of the schedule's zero."""
BATCH: Final = "mmload_batch"
"""Worker to master: records, answers, telemetry and events, with a running number."""
STOP: Final = "mmload_stop"
"""Master to workers: send nothing more."""
TAKE_OVER: Final = "mmload_take_over"
"""Master to workers: a worker is lost; who takes which of its arrivals."""
DONE: Final = "mmload_done"
"""Worker to master: totals, behind the last batch."""
