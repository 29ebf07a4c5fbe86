"""What a real outbox ships and a real master writes down, one batch of it lost and one come twice; prints it.

In an interpreter of its own, for Locust patches the one that it is imported into.
"""

import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from mmload import journal
from mmload.drive.master import Master
from mmload.drive.outbox import Outbox, not_sent
from mmload.model import Answer, Arrival, ErrorKind, Telemetry

RECORDS, ANSWERS = 2500, 1300


def length(rows: bytes) -> int:
    return len(journal.decode_body(journal.RECORDS, rows))


def main() -> None:
    batches: list[dict] = []
    outbox = Outbox(3, batches.append)
    outbox.flush()
    nothing = len(batches)
    for seq in range(RECORDS):
        arrival = Arrival(seq, seq * 1000, 0, 0, 0.5, True)
        record = not_sent(arrival, 3, 1, ErrorKind.DNS, "")
        answer = Answer(seq, 0, f"text {seq}") if seq < ANSWERS else None
        outbox.add(tuple(record) if seq % 2 else record, answer)
    outbox.add_telemetry(Telemetry(*[0] * len(Telemetry._fields)))
    outbox.add_event({"kind": "clock_step"})
    outbox.flush()
    first = len(batches)
    for seq in range(RECORDS, RECORDS + 5):
        outbox.add(not_sent(Arrival(seq, 0, 0, 0, 0.5, True), 3, 1, ErrorKind.DNS, ""), None)
    outbox.flush()
    master = Master.__new__(Master)
    master.batches, master.lost = {}, set()
    events: list[str] = []
    master._event = lambda kind, **about: events.append([kind, about])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.mmj"
        master.journal = journal.Writer(path)
        for batch in [batches[0], *batches[:-2], batches[-1], batches[-1]]:
            master._on_batch(None, SimpleNamespace(data=batch, node_id="w"))
        master.journal.close()
        frames = [(kind, len(body)) for kind, body in journal.Follower(path).poll()]
        seqs = [r.seq for kind, body in journal.Follower(path).poll() if kind == "records" for r in body]
        texts = [a.text for kind, body in journal.Follower(path).poll() if kind == "answers" for a in body]
    json.dump(
        {
            "nothing": nothing,
            "first": first,
            "batches": len(batches),
            "outbox": [outbox.batches, outbox.recorded],
            "rows": [sum(map(length, b.get("records", ()))) for b in batches],
            "events": events,
            "frames": frames,
            "seqs": seqs,
            "texts": texts,
        },
        sys.stdout,
    )  # fmt: skip


if __name__ == "__main__":
    main()
