#!/usr/bin/env python3
"""The same blocks, the same queries, two servers: ours and Debian's prometheus. Answers must be equal.

    promql.py SERVER_BINARY [--blocks PROGRAM] [QUERY...]

PROGRAM writes a further block with stale markers and native histograms (make_blocks.cc); without it the queries over them are left out.
Both start on copies of the same blocks; each query is asked at one instant and over a range. Differences that are meant are listed in
expected_differences.txt (a regular expression for the query, then the section of the surface document that says so); an entry that
matches no difference is reported, so that the list only shrinks.
"""
import json
import math
import os
import re
import shutil
import subprocess
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from harness import Scratch, Server, find_peer  # noqa: E402

import dataset  # noqa: E402
import queries  # noqa: E402

AT = dataset.START + 5400
RANGE = (dataset.START + 3000, dataset.START + 6000, 60)


def expected_differences():
    out = []
    with open(os.path.join(HERE, "expected_differences.txt")) as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                pattern, section = line.rstrip("\n").split("\t")
                out.append((re.compile(pattern), section, pattern))
    return out


def ask(server, path, **params):
    status, body, _ = server.request("POST", f"/api/v1/{path}", urllib.parse.urlencode(params), {"Content-Type": "application/x-www-form-urlencoded"})
    return status, json.loads(body) if body[:1] == b"{" else {"raw": body.decode(errors="replace")}


def same_number(a, b):
    if isinstance(a, dict) or isinstance(b, dict):
        return same_histogram(a, b)
    x, y = float(a), float(b)
    return a == b or (math.isnan(x) and math.isnan(y)) or x == y or math.isclose(x, y, rel_tol=1e-12, abs_tol=1e-300)


def same_histogram(a, b):
    if not (isinstance(a, dict) and isinstance(b, dict)):
        return False
    rows_a, rows_b = a.get("buckets", []), b.get("buckets", [])
    same_shape = len(rows_a) == len(rows_b) and all(p[0] == q[0] for p, q in zip(rows_a, rows_b))
    return same_shape and same_number(a["count"], b["count"]) and same_number(a["sum"], b["sum"]) and all(
        same_number(x, y) for p, q in zip(rows_a, rows_b) for x, y in zip(p[1:], q[1:]))


def points(row):
    """[(time, value or histogram)…] of one series of a vector or matrix."""
    out = row.get("values", []) + row.get("histograms", []) + [row[key] for key in ("value", "histogram") if key in row]
    return sorted(out, key=lambda point: point[0])


def canonical(data):
    """Result in an order of its own: series by labels; instant vectors too, except where the query sorts."""
    result = data.get("result")
    if data.get("resultType") in ("vector", "matrix"):
        return sorted(result, key=lambda row: sorted(row["metric"].items()))
    return result


def difference(ours, theirs):
    (status_a, a), (status_b, b) = ours, theirs
    if status_a != status_b:
        return f"status {status_a} instead of {status_b}: {json.dumps(a)[:300]}"
    if b.get("status") == "error":
        return None if a.get("errorType") == b.get("errorType") else f"errorType {a.get('errorType')} instead of {b.get('errorType')}"
    if a["data"]["resultType"] != b["data"]["resultType"]:
        return f"type {a['data']['resultType']} instead of {b['data']['resultType']}"
    x, y = canonical(a["data"]), canonical(b["data"])
    if not isinstance(x, list) or a["data"]["resultType"] in ("scalar", "string"):
        same = x[0] == y[0] and (x[1] == y[1] if b["data"]["resultType"] == "string" else same_number(x[1], y[1]))
        return None if same else f"{x} instead of {y}"
    if [r["metric"] for r in x] != [r["metric"] for r in y]:
        return f"series {[r['metric'] for r in x][:4]} instead of {[r['metric'] for r in y][:4]} ({len(x)} and {len(y)})"
    for p, q in zip(x, y):
        points_a, points_b = points(p), points(q)
        if [t for t, _ in points_a] != [t for t, _ in points_b]:
            return f"times differ for {p['metric']}: {len(points_a)} and {len(points_b)}"
        for (t, v), (_, w) in zip(points_a, points_b):
            if not same_number(v, w):
                return f"{p['metric']} at {t}: {v} instead of {w}"
    return None


def make_blocks(promtool, program, folder):
    text = os.path.join(folder, "history.om")
    with open(text, "w") as out:
        out.write(dataset.openmetrics())
    blocks = os.path.join(folder, "blocks")
    subprocess.run([promtool, "tsdb", "create-blocks-from", "openmetrics", text, blocks], check=True, capture_output=True, timeout=50)
    if program:
        subprocess.run([program, blocks], check=True, timeout=50)
    return blocks


def main():
    binary, only = sys.argv[1], sys.argv[2:]
    program = None
    if only[:1] == ["--blocks"]:
        program, only = only[1], only[2:]
    promtool, prometheus = find_peer("promtool"), find_peer("prometheus")
    allowed = expected_differences()
    met, used, wrong, asked = set(), set(), 0, 0
    with Scratch() as folder:
        blocks = make_blocks(promtool, program, folder)
        for name in ("ours", "theirs"):
            shutil.copytree(blocks, os.path.join(folder, name, "data"))
        flags = ["--storage.tsdb.retention.time=100y", "--query.lookback-delta=5m", "--enable-feature=native-histograms"]
        with Server(binary, "global: {}\n", f"{folder}/ours", *flags) as ours, Server(prometheus, "global: {}\n", f"{folder}/theirs", *flags) as theirs:
            ours.wait_ready()
            theirs.wait_ready()
            for query in only or queries.all_queries(program is not None):
                for path, params in (("query", {"time": AT}), ("query_range", {"start": RANGE[0], "end": RANGE[1], "step": RANGE[2]})):
                    asked += 1
                    met.update(i for i, (pattern, _, _) in enumerate(allowed) if pattern.fullmatch(f"{path} {query}"))
                    found = difference(ask(ours, path, query=query, **params), ask(theirs, path, query=query, **params))
                    if found is None:
                        continue
                    entry = next(((i, section) for i, (pattern, section, _) in enumerate(allowed) if pattern.fullmatch(f"{path} {query}")), None)
                    if entry is not None:
                        used.add(entry[0])
                        continue
                    wrong += 1
                    print(f"WRONG {path} {query}\n      {found}")
    for i in sorted(met - used):
        wrong += 1
        print(f"WRONG expected difference no longer seen, remove it: {allowed[i][2]} ({allowed[i][1]})")
    print(f"{asked} questions, {wrong} wrong")
    sys.exit(1 if wrong else 0)


main()
