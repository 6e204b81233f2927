"""Counters of a server in Prometheus's text format.

Their labels are methods, path templates and statuses, never names, ids or texts. prometheus_client is not used, because
these few lines are all that is needed.
"""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histogram's buckets, in seconds, from a database read to the reply of a slow model."""


class Metrics:
    """Counters since the start of the server. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._durations: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()
        self._recalled: Counter[str] = Counter()
        self._turns = 0

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request to the path template `route`, with its duration in seconds."""
        with self._lock:
            self._requests[method, route, status] += 1
            buckets = self._durations.setdefault(route, [0] * (len(BUCKETS_S) + 1))
            buckets[bisect_left(BUCKETS_S, seconds)] += 1
            self._seconds[route] += seconds  # type: ignore[assignment]

    def recall(self, by: str, memories: int) -> None:
        """Count the memories recalled by a "turn" or a "search"."""
        with self._lock:
            self._recalled[by] += memories
            self._turns += by == "turn"

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Format all counters. `gauges` maps names of current values to their help text and value."""
        with self._lock:
            lines = _head("memchat_http_requests_total", "counter", "Requests by method, path template and status.")
            for (method, route, status), count in sorted(self._requests.items()):
                labels = f'method="{method}",route="{route}",status="{status}"'
                lines.append(f"memchat_http_requests_total{{{labels}}} {count}")
            name = "memchat_http_request_duration_seconds"
            lines += _head(name, "histogram", "Seconds until the last byte of the answer, by path template.")
            for route, buckets in sorted(self._durations.items()):
                for bound, count in zip((*BUCKETS_S, "+Inf"), accumulate(buckets), strict=True):
                    lines.append(f'{name}_bucket{{route="{route}",le="{bound}"}} {count}')
                lines.append(f'{name}_sum{{route="{route}"}} {self._seconds[route]:.6f}')
                lines.append(f'{name}_count{{route="{route}"}} {sum(buckets)}')
            lines += _head("memchat_turns_total", "counter", "Messages answered by the model, with memory.")
            lines.append(f"memchat_turns_total {self._turns}")
            lines += _head("memchat_memories_recalled_total", "counter", "Memories recalled by turns and by searches.")
            lines += (f'memchat_memories_recalled_total{{by="{by}"}} {self._recalled[by]}' for by in ("search", "turn"))
        for name, (about, value) in gauges.items():
            lines += [*_head(name, "gauge", about), f"{name} {value}"]
        return "".join(f"{line}\n" for line in lines)


def _head(name: str, kind: str, about: str) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
