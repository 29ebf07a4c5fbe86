"""Plain Locust, as its documentation shows it: FastHttpUser and one task.

Environment: BODY_BYTES; STREAM (1: read the answer line by line, as who wants the time of the first token
must); ONCE (1: end after one request); PER_USER (requests a second of each user through
``constant_throughput``; 0: no pause); REPORT (a file for the percentiles as Locust has them).
"""

import json
import os

from locust import FastHttpUser, constant, constant_throughput, events, task

BODY = b"x" * int(os.environ.get("BODY_BYTES", "300"))
STREAM = os.environ.get("STREAM") == "1"
PER_USER = float(os.environ.get("PER_USER", "0"))


class Plain(FastHttpUser):
    wait_time = constant_throughput(PER_USER) if PER_USER else constant(0)

    @task
    def ask(self):
        if os.environ.get("ONCE") == "1":
            self.client.post("/chat/completions", data=BODY)
            self.environment.runner.quit()
        elif not STREAM:
            self.client.post("/chat/completions", data=BODY, headers={"Content-Type": "application/json"})
        else:
            answer = self.client.post(
                "/chat/completions", data=BODY, headers={"Content-Type": "application/json"}, stream=True
            )
            for _ in answer.iter_lines():
                pass


@events.quitting.add_listener
def report(environment, **_):
    total = environment.stats.total
    points = {
        f"p{str(p * 100).rstrip('0').rstrip('.')}": total.get_response_time_percentile(p)
        for p in (0.5, 0.9, 0.99)
    }
    with open(os.environ["REPORT"], "w") as out:  # noqa: PTH123
        json.dump({"requests": total.num_requests, "failures": total.num_failures, **points}, out)
