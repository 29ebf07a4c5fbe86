"""A collector for tests: takes OTLP over HTTP and decodes the protobuf with OpenTelemetry's own messages."""

from __future__ import annotations

import gzip
import signal
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)


@contextmanager
def receiver(status=200, port=0):
    """Yields ``(url, requests)``: what arrived, as decoded messages with their paths."""
    arrived = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.headers["Content-Type"] == "application/x-protobuf"
            arrived.append((self.path, ExportMetricsServiceRequest.FromString(body)))
            answer = ExportMetricsServiceResponse().SerializeToString()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", arrived
    finally:
        server.shutdown()
        server.server_close()


def metrics_of(message):
    """Histograms by name: ``{name: (unit, points)}``."""
    return {
        metric.name: (metric.unit, list(metric.histogram.data_points))
        for resource in message.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def attributes(pairs):
    def plain(value):
        return getattr(value, value.WhichOneof("value"))

    return {pair.key: plain(pair.value) for pair in pairs}


if __name__ == "__main__":
    with receiver(port=int(sys.argv[1])):
        signal.pause()
