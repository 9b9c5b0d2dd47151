#!/usr/bin/env python3
"""The official OpenTelemetry exporters for JavaScript, protobuf and JSON, push all kinds of metrics to the server.

    otel_exporter.py SERVER_BINARY

Skips unless `node` finds the npm packages below, by NODE_PATH for one.
"""
import os
import shutil
import subprocess
import sys

from harness import Scratch, Server, skip

PACKAGES = ["sdk-metrics", "resources", "exporter-metrics-otlp-proto", "exporter-metrics-otlp-http"]

EXPORT = """
const [endpoint, encoding] = process.argv.slice(1);
const metrics = require('@opentelemetry/sdk-metrics');
const { OTLPMetricExporter } = require('@opentelemetry/exporter-metrics-otlp-' + encoding);
const { resourceFromAttributes } = require('@opentelemetry/resources');
const exporter = new OTLPMetricExporter({ url: endpoint });
const reader = new metrics.PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3600000 });
const provider = new metrics.MeterProvider({
  resource: resourceFromAttributes({ 'service.name': encoding, 'service.instance.id': '1' }),
  readers: [reader],
  views: [{ instrumentName: 'sizes', aggregation: { type: metrics.AggregationType.EXPONENTIAL_HISTOGRAM } }],
});
const meter = provider.getMeter('till');
meter.createCounter('sales', { unit: '{sale}' }).add(3, { kind: 'cash' });
meter.createUpDownCounter('queue.length').add(-2);
meter.createHistogram('took', { unit: 's', advice: { explicitBucketBoundaries: [0.5, 1] } }).record(0.7);
meter.createHistogram('sizes', { unit: 'By' }).record(4);
meter.createObservableGauge('level').addCallback((result) => result.observe(1.5));
provider.forceFlush().then(() => provider.shutdown()).catch((e) => { console.error(e); process.exitCode = 1; });
"""

failures = []


def check(what, actual, expected):
    good = actual == expected
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": {actual!r}, not {expected!r}"), flush=True)
    if not good:
        failures.append(what)


def node(script, *arguments):
    # Not a word to proxies: the server is here.
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.run(["node", "-e", script, *arguments], capture_output=True, text=True, timeout=60, env=env)


def run(binary, folder):
    names = [f"@opentelemetry/{name}" for name in PACKAGES]
    if shutil.which("node") is None or any(node(f"require('{name}')").returncode != 0 for name in names):
        skip("node does not find the npm packages " + ", ".join(names))
    with Server(binary, "global: {}\n", folder, "--web.enable-otlp-receiver") as server:
        server.wait_ready()
        for encoding in ("proto", "http"):
            done = node(EXPORT, f"{server.url}/api/v1/otlp/v1/metrics", encoding)
            check(f"{encoding}: exported", (done.returncode, done.stderr), (0, ""))
            for expression, wanted in [('sales_total{kind="cash",instance="1"', "3"), ("queue_length{", "-2"),
                                       ('took_seconds_bucket{le="0.5"', "0"), ('took_seconds_bucket{le="1"', "1"),
                                       ("took_seconds_sum{", "0.7"), ("level{", "1.5")]:
                query = f'{expression}{"" if expression.endswith("{") else ","}job="{encoding}"}}'
                check(query, [sample["value"][1] for sample in server.query(query)], [wanted])
            query = f'histogram_sum(sizes_bytes{{job="{encoding}"}})'
            check(query, [sample["value"][1] for sample in server.query(query)], ["4"])
        check("stop", server.stop(), 0)


if __name__ == "__main__":
    with Scratch() as scratch:
        run(sys.argv[1], f"{scratch}/server")
    sys.exit(1 if failures else 0)
