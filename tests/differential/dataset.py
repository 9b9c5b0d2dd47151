"""A deterministic history in OpenMetrics text: gauges, counters with resets, gaps, NaN and infinities, classic histograms and summaries.

Samples lie off every round evaluation time, so that closed and left-open windows (2.x and 3.x) hold the same samples.
"""
import random

START = 1_700_000_000  # seconds
STEP = 15
SCRAPES = 480  # two hours
BOUNDS = ["0.1", "0.5", "1.0", "2.5", "5.0", "+Inf"]


def labels(**pairs):
    return "{" + ",".join(f'{k}="{v}"' for k, v in pairs.items()) + "}"


def history(seed=7):
    """Yields (family, type, [(series text, [(time in s, value)…])…])."""
    chance = random.Random(seed)
    offsets = {instance: chance.uniform(1.0, 13.0) for instance in ("a:9100", "b:9100", "c:9100")}

    def times(instance, gap=None):
        at = offsets[instance]
        return [round(START + at + i * STEP + chance.uniform(-0.01, 0.01), 3) for i in range(SCRAPES) if not (gap and gap[0] <= i < gap[1])]

    rows = []
    for instance in offsets:
        for zone in ("eu", "us"):
            level = chance.uniform(-50, 50)
            points = []
            for t in times(instance, (100, 140) if zone == "eu" and instance.startswith("b") else None):
                level += chance.gauss(0, 3)
                points.append((t, round(level, 4)))
            rows.append(("temperature" + labels(instance=instance, zone=zone, job="node"), points))
    yield "temperature", "gauge", rows

    rows = []
    for instance in offsets:
        for code in ("200", "404", "500"):
            count, rate = 0.0, {"200": 40, "404": 3, "500": 0.4}[code]
            points = []
            for n, t in enumerate(times(instance)):
                count += int(chance.expovariate(1 / rate))
                if instance.startswith("c") and n in (150, 151, 300):
                    count = 0
                points.append((t, count))
            rows.append(("http_requests_total" + labels(code=code, instance=instance, job="api"), points))
    yield "http_requests", "counter", rows

    odd = ["NaN", "+Inf", "-Inf", "0", "-0", "1e308", "-1e308", "1e-308", "5"]
    rows = [("odd_values" + labels(case=str(i)), [(t, odd[(n // 7 + i) % len(odd)]) for n, t in enumerate(times("a:9100"))]) for i in range(4)]
    rows.append(("odd_values" + labels(case="constant"), [(t, 3) for t in times("a:9100")]))
    yield "odd_values", "gauge", rows

    rows = [("build_info" + labels(instance=i, version=v, job="node"), [(t, 1) for t in times(i)])
            for i, v in zip(offsets, ("1.0", "1.1", "1.1"))]
    yield "build", "info", rows

    rows = []
    for instance in offsets:
        counts, total, summed = [0] * len(BOUNDS), 0, 0.0
        series = {b: [] for b in BOUNDS}
        sums, totals = [], []
        for t in times(instance):
            for _ in range(chance.randrange(0, 9)):
                value = chance.expovariate(1.2)
                summed += value
                total += 1
                for i, bound in enumerate(BOUNDS):
                    if value <= float(bound):
                        counts[i] += 1
            for i, bound in enumerate(BOUNDS):
                series[bound].append((t, counts[i]))
            sums.append((t, round(summed, 6)))
            totals.append((t, total))
        for bound in BOUNDS:
            rows.append(("latency_seconds_bucket" + labels(instance=instance, job="api", le=bound), series[bound]))
        rows.append(("latency_seconds_count" + labels(instance=instance, job="api"), totals))
        rows.append(("latency_seconds_sum" + labels(instance=instance, job="api"), sums))
    yield "latency_seconds", "histogram", rows


def openmetrics():
    out = []
    for family, kind, rows in history():
        out.append(f"# TYPE {family} {kind}")
        for series, points in rows:
            out.extend(f"{series} {value} {t:.3f}" for t, value in points)
    out.append("# EOF")
    return "\n".join(out) + "\n"
