"""What a master says of workers that connect and never get ready. Prints the message; patched by Locust."""

from types import SimpleNamespace
from typing import Any

from locust.env import Environment  # patches the standard library

from mmload.drive import master
from mmload.model import MmloadError

assert Environment is not None
master._PREPARE_S = 1.0


def prepared(worker_count: int) -> str:
    sent: list[str] = []
    clients = SimpleNamespace(all=[SimpleNamespace(id=f"w{k}", state="ready") for k in range(worker_count)])
    runner: Any = SimpleNamespace(
        clients=clients, send_message=lambda name, _, to: sent.append(f"{name} {to}")
    )
    one = master.Master.__new__(master.Master)
    one.runner, one.expected, one.ready, one.reason = runner, 2, {0: {}}, "done"
    one.index = {"w0": 0, "w1": 1}
    one.order = dict.fromkeys(("profile", "base_dir", "url", "workers", "trace_prefix", "web"))
    one.changed = master.Event()
    try:
        one._prepare()
    except MmloadError as error:
        return f"{error} | {len(sent)}"
    return "ready"


print(prepared(2))
print(prepared(1))
