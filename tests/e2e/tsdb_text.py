#!/usr/bin/env python3
"""epitool turns text into blocks and data into text as Prometheus's own cases want it: tsdb create-blocks-from openmetrics, dump and
dump-openmetrics over the shared cases (EPI_CONFORMANCE, or ../shared/conformance beside the checkout).

    tsdb_text.py EPITOOL
"""
import json
import os
import re
import subprocess
import sys

from harness import Scratch, skip

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(os.environ.get("EPI_CONFORMANCE") or os.path.join(HERE, "..", "..", "..", "shared", "conformance"), "rules")
MINUTE = 60_000
failures = []


def check(what, condition, detail=""):
    print(("ok    " if condition else "WRONG ") + what + ("" if condition else f": {detail}"), flush=True)
    if not condition:
        failures.append(what)


def run(*args):
    done = subprocess.run([sys.argv[1], "tsdb", *args], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def cases(name):
    with open(os.path.join(DATA, name)) as f:
        return json.load(f)["cases"]


def promtool_file(name):
    with open(os.path.join(DATA, "promtool", name)) as f:
        return f.read()


def parsed_dump(text):
    """{labels} value time, as (labels, time, value)."""
    out = []
    for line in text.splitlines():
        labels, value, time = re.fullmatch(r"\{(.*)\} (\S+) (-?\d+)", line).groups()
        pairs = re.findall(r'([^ ,=]+)="((?:[^"\\]|\\.)*)"', labels)
        out.append((tuple(sorted(pairs)), int(time), float(value)))
    return sorted(out)


def openmetrics_of(load):
    """The samples of a `load` statement with plain values as OpenMetrics text; its step is a minute."""
    head, *lines = load.split("\n")
    assert head == "load 1m", head
    out = []
    for line in lines:
        name, labels, values = re.fullmatch(r"\s*(\w+)\{(.*)\}\s+(.*)", line).groups()
        labels = re.sub(r",\s+", ",", labels)
        out += [f"{name}{{{labels}}} {value} {i * MINUTE / 1000:.3f}" for i, value in enumerate(values.split()) if value != "_"]
    return "\n".join(out) + "\n# EOF\n"


def create(folder, name, text, *flags):
    source, out = os.path.join(folder, name + ".om"), os.path.join(folder, name)
    with open(source, "w") as f:
        f.write(text)
    return run("create-blocks-from", "openmetrics", *flags, source, out), out


def backfill(folder):
    for case in cases("backfill.json"):
        flags = [f"--label={k}={v}" for k, v in case.get("extra_labels", {}).items()]
        if "max_block_duration_ms" in case:
            flags.append(f"--max-block-duration={case['max_block_duration_ms']}ms")
        what = f"{case['id']} {case['name']}"
        (code, _, err), out = create(folder, case["id"], case["input"], *flags)
        if case["result"] == "fail":
            check(what, code == 1 and err.strip(), (code, err))
            continue
        want = case["expected"]
        check(what, code == 0, err)
        rows = [line.split() for line in run("list", out)[1].splitlines()[1:]]
        times = [(int(row[1]), int(row[2])) for row in rows]
        length = want["block_duration_ms"]
        check(what + ": blocks", len(times) == want["num_blocks"], times)
        check(what + ": each block lies in one window", all(a // length == (b - 1) // length for a, b in times), times)
        if times:
            check(what + ": range", (min(a for a, _ in times), max(b for _, b in times) - 1) == (want["min_time"], want["max_time"]), times)
        samples = sorted((tuple(sorted(labels.items())), t, float(v)) for labels, t, v in want["samples"])
        code, text, err = run("dump", out)
        if samples:
            check(what + ": samples", code == 0 and parsed_dump(text) == samples, (err, text))
        else:
            check(what + ": no samples", is_no_data((code, text, err)), (err, text))


def dump(folder):
    for case in cases("tsdb_dump.json"):
        what = f"{case['id']} {case['name']}"
        text = promtool_file(case["input_openmetrics"]) if "input_openmetrics" in case else openmetrics_of(case["load"])
        (code, _, err), out = create(folder, case["id"], text)
        check(what + ": blocks are made", code == 0, err)
        flags = [f"--match={m}" for m in case["match"]]
        for bound in ("min", "max"):
            if case.get(bound + "_time") is not None:
                flags.append(f"--{bound}-time={case[bound + '_time']}")
        for key, command in (("expected_dump", ["dump"]), ("expected_series", ["dump", "--format=seriesjson"]), ("expected_openmetrics", ["dump-openmetrics"])):
            if key not in case:
                continue
            code, text, err = run(*command, *flags, out)
            want = promtool_file(case[key])
            check(what + ": " + " ".join(command), code == 0 and sorted(text.splitlines()) == sorted(want.splitlines()), (err, text))
            check(what + ": # EOF comes last", text.endswith("# EOF\n") == ("openmetrics" in key), text[-20:])


def is_no_data(done):
    """A directory without anything is an error, as to promtool."""
    code, text, err = done
    return code == 1 and text == "" and "no data directory" in err


def forms(folder):
    """What the shared cases leave out."""
    (code, _, err), out = create(folder, "escapes", '# TYPE a histogram\n# EOF\n')
    check("families without samples make no block", code == 0 and is_no_data(run("dump", out)), err)
    (code, _, err), out = create(folder, "escapes2", 'a{l="<&>\\"\\n\u00e9"} NaN 1.5\na{l="x"} +Inf -2\n# EOF\n')
    check("escapes are stored", code == 0, err)
    check("series as JSON are safe in pages", run("dump", "--format=seriesjson", out)[1].splitlines() ==
          ['{"__name__":"a","l":"\\u003c\\u0026\\u003e\\"\\né"}', '{"__name__":"a","l":"x"}'], run("dump", "--format=seriesjson", out))
    check("numbers and escapes as OpenMetrics", run("dump-openmetrics", out)[1] ==
          'a{l="<&>\\"\\né"} NaN 1.500\na{l="x"} +Inf -2.000\n# EOF\n', run("dump-openmetrics", out))
    check("series without a sample in the range are left out", run("dump", "--format=seriesjson", "--min-time=0", out)[1].count("\n") == 1)
    code, text, err = run("dump", "--format=xml", out)
    check("other formats are refused", (code, text, err) == (1, "", "epitool: error: enum value must be one of prom,seriesjson, got 'xml', try --help\n"), err)


def main():
    with Scratch() as folder:
        forms(folder)
        if not os.path.isdir(DATA):
            skip("no conformance data; set EPI_CONFORMANCE") if not failures else sys.exit(1)
        backfill(folder)
        dump(folder)
    print(f"{len(failures)} wrong")
    sys.exit(1 if failures else 0)


main()
