#!/usr/bin/env python3
"""End to end: new recording rules get a past, once by the API of the running server and once by epitool tsdb create-blocks-from rules.

    rule_backfill.py SERVER_BINARY EPITOOL

Each stored sample of a rule must be what its expression gives at that time, once per interval of its group over the whole range, and the
rule that reads another rule must see that one's new past.
"""
import json
import math
import os
import random
import subprocess
import sys
import time
import urllib.parse

from harness import Scratch, Server, wait_until

HOUR = 3600
RULES = """groups:
  - name: minutes
    interval: 1m
    rules:
      - {record: 'i:c:rate5m', expr: 'sum by (i) (rate(c_total[5m]))', labels: {from: rule}}
      - {record: 'c:rate5m:max', expr: 'max(i:c:rate5m)'}
  - name: halves
    interval: 30s
    rules:
      - {record: 'g:double', expr: 'g * 2'}
"""
# What a rule gives, by its series; the second by what the first reads.
EXPRESSIONS = {"i:c:rate5m": ("sum by (i) (rate(c_total[5m]))", 60), "c:rate5m:max": ("max(sum by (i) (rate(c_total[5m])))", 60), "g:double": ("g * 2", 30)}
failures = []


def check(what, condition, detail=""):
    print(("ok    " if condition else "WRONG ") + what + ("" if condition else f": {detail}"), flush=True)
    if not condition:
        failures.append(what)


def openmetrics(start, end):
    chance = random.Random(20)
    lines = ["# TYPE c counter"]
    for i in range(3):
        total = 100
        for t in range(start, end, 20):
            total += chance.random() * 10
            lines.append(f'c_total{{i="{i}"}} {total!r} {t}.25')
    lines.append("# TYPE g gauge")
    lines += [f"g {chance.random()!r} {t}.25" for t in range(start, end, 20)]
    return "\n".join(lines + ["# EOF"]) + "\n"


def run(*args):
    done = subprocess.run(args, capture_output=True, text=True, timeout=120)
    check(" ".join(os.path.basename(a) for a in args[:4]), done.returncode == 0, done.stdout + done.stderr)


def compare(server, what, start, end, new_name=lambda name: name):
    for name, (expression, step) in EXPRESSIONS.items():
        got = {}
        for row in server.query(f'{new_name(name)}[{end - start}s]', float(end)):
            labels = {k: v for k, v in row["metric"].items() if k not in ("__name__", "from")}
            got[json.dumps(labels, sort_keys=True)] = {round(t * 1000): float(v) for t, v in row["values"] if t >= start}
        times = sorted({t for series in got.values() for t in series})
        if not times:
            check(f"{what}: {name}", False, "nothing is stored")
            continue
        gaps = {b - a for a, b in zip(times, times[1:])}
        whole = gaps == {step * 1000} and times[0] - start * 1000 < step * 1000 and end * 1000 - times[-1] <= step * 1000
        check(f"{what}: {name} once per interval", whole, f"gaps {sorted(gaps)}, from {times[0] - start * 1000} to {times[-1] - end * 1000}")
        data = server.api("query_range", query=expression, start=repr(times[0] / 1000), end=repr(times[-1] / 1000), step=step)
        wanted = {json.dumps(row["metric"], sort_keys=True): {round(t * 1000): float(v) for t, v in row["values"]} for row in data["result"]}
        if name == "g:double":
            wanted = {"{}": next(iter(wanted.values()))}
        same = set(wanted) == set(got) and all(
            set(wanted[k]) == set(got[k]) and all(math.isclose(wanted[k][t], got[k][t], rel_tol=1e-12) for t in wanted[k]) for k in wanted)
        check(f"{what}: {name} is what its expression gives ({len(times)} times)", same, f"{ {k: len(v) for k, v in wanted.items()} } {got.keys()}")


def main():
    binary, tool = sys.argv[1], sys.argv[2]
    now = int(time.time())
    end = (now - 4 * HOUR) // 60 * 60
    start = end - 3 * HOUR
    with Scratch() as folder:
        home = os.path.join(folder, "server")
        os.makedirs(os.path.join(home, "data"))
        text, rules = os.path.join(folder, "input.txt"), os.path.join(home, "rules.yml")
        with open(text, "w") as out:
            out.write(openmetrics(start - 600, end))
        with open(rules, "w") as out:
            out.write(RULES)
        run(tool, "tsdb", "create-blocks-from", "openmetrics", text, os.path.join(home, "data"))
        config = "rule_files: [rules.yml]\n"
        with Server(binary, config, home, "--web.enable-admin-api") as server:
            server.wait_ready()
            check("the rules have no past yet", not server.query("i:c:rate5m", float(end)))
            # By the tool, under other names, so that both pasts can be told apart.
            other = os.path.join(folder, "other.yml")
            with open(other, "w") as out:
                out.write(RULES.replace("record: 'i:c:rate5m'", "record: 'tool:i:c:rate5m'").replace("record: 'g:double'", "record: 'tool:g:double'"))
            made = os.path.join(folder, "made")
            run(tool, "tsdb", "create-blocks-from", "rules", f"--url={server.url}", f"--start={start}", f"--end={end}", f"--output-dir={made}", other)
            query = urllib.parse.urlencode({"start": start, "end": end})
            status, body, _ = server.request("POST", f"/api/v1/admin/rules/backfill?{query}", timeout=120)
            answer = json.loads(body)
            check("the API stores", status == 200 and answer["data"]["stored"] > 900 and answer["data"]["tooOld"] == 0, body[:500])
            compare(server, "API", start, end)
            labels = server.query('i:c:rate5m', float(end))
            check("labels of the rule are set", labels and all(row["metric"].get("from") == "rule" for row in labels), labels)
            status, body, _ = server.request("POST", f"/api/v1/admin/rules/backfill?{urllib.parse.urlencode({'start': start, 'rule_name[]': 'nobody'})}")
            check("an unknown rule is named so", status == 404, f"{status} {body!r}")
            check("SIGTERM ends it cleanly", server.stop() == 0, server.output()[-1000:])
        for name in os.listdir(made):
            if len(name) == 26:
                os.rename(os.path.join(made, name), os.path.join(home, "data", name))
        del EXPRESSIONS["c:rate5m:max"]  # the tool asks the server, which knows nothing of the other new rule's past
        with Server(binary, config, home) as server:
            server.wait_ready()
            wait_until("the blocks are read", lambda: server.query("tool:g:double", float(end - 60)))
            compare(server, "tool", start, end, lambda name: "tool:" + name)
            compare(server, "API, after a restart", start, end)
            check("SIGTERM ends it cleanly", server.stop() == 0, server.output()[-1000:])
    print(f"{len(failures)} wrong")
    sys.exit(1 if failures else 0)


main()
