"""What scoring one answer costs, by task: ``python benchmarks/scoring_cost.py``. Processor time of one core.

Answers of four kinds in turn: the ideal one, the bait, one in a code fence, and prose. Exits with 1 if the
median of a task is over 1 ms.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from mmload import corpus
from mmload.model import Item
from mmload.plan import tasks_of
from mmload.profile import load

ROOT = Path(__file__).parent.parent
LIMIT_MS = 1.0
ROUNDS = 5


def answers(item: Item) -> list[str]:
    def envelope(status: str, answer: object) -> str:
        body = {"status": status, "answer": answer, "evidence": [], "confidence": 0.9, "nonce": item.nonce}
        return json.dumps(body, ensure_ascii=False)

    ideal = envelope(item.truth["status"], item.truth["answer"])
    prose = "I looked at the picture for a long time. " * 40
    return [ideal, envelope("answered", item.truth["bait"]), f"```json\n{ideal}\n```", prose]


def main() -> int:
    profile = load(ROOT / "fixtures" / "suite.toml", ["mix.items=160"])
    tasks = tasks_of(profile.mix)
    suite = corpus.build(profile.mix, tasks, corpus.default_cache())
    nonces = corpus.nonces(suite)
    worst = 0.0
    print("| task | n | median ms | p99 ms |\n|---|--:|--:|--:|")
    for name, task in sorted(tasks.items()):
        costs = []
        for item in (i for i in suite.items if i.task == name):
            for text in answers(item):
                task.score(item, text, 0, nonces)
                for _ in range(ROUNDS):
                    began = time.process_time_ns()
                    task.score(item, text, 0, nonces)
                    costs.append((time.process_time_ns() - began) / 1e6)
        costs.sort()
        middle = statistics.median(costs)
        worst = max(worst, middle)
        print(f"| `{name}` | {len(costs)} | {middle:.3f} | {costs[int(0.99 * len(costs))]:.3f} |")
    return int(worst > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
