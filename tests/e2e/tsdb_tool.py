#!/usr/bin/env python3
"""epitool tsdb beside Debian's promtool on equal data: list, analyze, dump and create-blocks-from say the same, byte by byte.

    tsdb_tool.py EPITOOL
"""
import glob
import os
import random
import re
import shutil
import subprocess
import sys

from harness import Scratch, find_peer

failures = []
START = 1_700_006_400


def check(what, condition, detail=""):
    print(("ok    " if condition else "WRONG ") + what + ("" if condition else f": {detail}"), flush=True)
    if not condition:
        failures.append(what)


def run(*args):
    done = subprocess.run(args, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def openmetrics(chance):
    """A few hours of counters and gauges, values of every magnitude, labels that need escapes."""
    lines = ["# TYPE c counter"]
    for i in range(5):
        total = 0
        for k in range(400):
            total += chance.randrange(0, 100)
            lines.append(f'c_total{{job="a",i="{i}",text="q\\\\u\\"o\\nte"}} {total} {START + k * 30}.000')
    lines.append("# TYPE g gauge")
    for i in range(3):
        for k in range(60):
            value = chance.choice(["NaN", "+Inf", "-Inf", "0", "-0.0", "1e-300", "1.7976931348623157e+308", repr(chance.uniform(-1e6, 1e6))])
            lines.append(f'g{{job="b",ünï="é{i}"}} {value} {START + k * 300 + i}.5'.replace('ünï', 'unit'))
    lines.append("# EOF")
    return "\n".join(lines) + "\n"


def without_names(table):
    """A table of blocks without the names, which are random."""
    return re.sub(r"^[0-9A-HJKMNP-TV-Z]{26}", "ULID", table, flags=re.M)


def same_analysis(ours, theirs):
    """promtool 2.42 says "Series", 3.x "Total Series"; equal counts come in any order there; 3.x has other distributions behind "Compaction"."""
    def lists(text):
        out = []
        for part in text.replace("Total Series:", "Series:").split("\n\n"):
            lines = part.strip("\n").split("\n")
            if lines[0] == "Compaction analysis:":
                break
            out.append((lines[0], sorted(lines[1:])))
        return out
    return lists(ours) == lists(theirs)


def main():
    epitool = sys.argv[1]
    promtool = find_peer("promtool")
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", flush=True)
    with Scratch() as folder:
        source = os.path.join(folder, "in.om")
        with open(source, "w") as f:
            f.write(openmetrics(random.Random(seed)))
        ours, theirs = os.path.join(folder, "ours"), os.path.join(folder, "theirs")
        for flags in ([], ["-r"], ["--quiet"]):
            for path in (ours, theirs):
                shutil.rmtree(path, ignore_errors=True)
            a = run(epitool, "tsdb", "create-blocks-from", "openmetrics", *flags, source, ours)
            b = run(promtool, "tsdb", "create-blocks-from", "openmetrics", *flags, source, theirs)
            sizes = r"\S+(?=\n|$)" if flags == ["-r"] else r"\d+(?=\n|$)"
            strip = lambda text: re.sub(sizes, "SIZE", without_names(text))
            check(f"create-blocks-from {flags}", (a[0], strip(a[1])) == (b[0], strip(b[1])), (a, b))
        check("there are several blocks", len(glob.glob(ours + "/*/meta.json")) >= 2)
        for path in (ours, theirs):
            os.makedirs(os.path.join(path, "wal"), exist_ok=True)
        dumps = {}
        for path in (ours, theirs):
            for flags in ([], ["--match={job=\"b\"}"], [f"--min-time={(START + 3000) * 1000}", f"--max-time={(START + 9000) * 1000}"]):
                a, b = run(epitool, "tsdb", "dump", *flags, path), run(promtool, "tsdb", "dump", *flags, path)
                check(f"dump {flags} of {os.path.basename(path)}", a == b and a[0] == 0, (a[0], a[2], b[0], b[2], a[1][:200], b[1][:200]))
                dumps[(path, str(flags))] = a[1]
            for flags in ([], ["-r"], ["--human-readable"]):
                a, b = run(epitool, "tsdb", "list", *flags, path), run(promtool, "tsdb", "list", *flags, path)
                check(f"list {flags} of {os.path.basename(path)}", a == b and a[0] == 0, (a, b))
            blocks = sorted(os.path.basename(os.path.dirname(p)) for p in glob.glob(path + "/*/meta.json"))
            for arguments in ([path], ["--limit=1000", path], ["--limit=1000", "--extended", path], *[["--limit=1000", path, b] for b in blocks]):
                a, b = run(epitool, "tsdb", "analyze", *arguments), run(promtool, "tsdb", "analyze", *arguments)
                equal = same_analysis(a[1], b[1]) if "--limit=1000" in arguments else len(a[1].split("\n")) == len(b[1].split("\n"))
                check(f"analyze {arguments[:-1]} of {os.path.basename(path)}", equal and a[0] == b[0] == 0, (a, b))
            a, b = run(epitool, "tsdb", "analyze", path, "NOPE"), run(promtool, "tsdb", "analyze", path, "NOPE")
            check("analyze of no block", a == (1, "", "invalid block ID NOPE\n") and b[0] == 1, (a, b))
            done = run(epitool, "tsdb", "verify", path)
            check(f"verify finds {os.path.basename(path)} sound", done[0] == 0, done)
        for flags in {k[1] for k in dumps}:
            check(f"both wrote the same samples {flags}", dumps[(ours, flags)] == dumps[(theirs, flags)])

        code, _, err = run(epitool, "tsdb", "list", os.path.join(folder, "none"))
        check("a missing directory is a sentence", (code, err) == run(promtool, "tsdb", "list", os.path.join(folder, "none"))[::2], err)
        os.makedirs(os.path.join(folder, "empty"))
        code, out, err = run(epitool, "tsdb", "dump", os.path.join(folder, "empty"))
        check("an empty directory is no data", (code, out) == (1, "") and "neither blocks nor a head" in err, (code, out, err))
        check("a selector of nothing", run(epitool, "tsdb", "dump", "--match={}", ours) == (0, "", ""))
        for arguments in (["tsdb"], ["tsdb", "nope"], ["tsdb", "create-blocks-from"], ["tsdb", "list", "a", "b"],
                          ["tsdb", "create-blocks-from", "openmetrics"], ["tsdb", "dump", "--min-time=1e3", ours], ["tsdb", "list", "--nope"]):
            a, b = run(epitool, *arguments), run(promtool, *arguments)
            check(f"wrong arguments {arguments}", a[0] == b[0] == 1 and a[2] == b[2].replace("promtool: error", "epitool: error"), (a, b))
        for bad in ("c_total 1\n# EOF\n", "c_total{ 1 2\n# EOF\n"):
            with open(source, "w") as f:
                f.write(bad)
            a = run(epitool, "tsdb", "create-blocks-from", "openmetrics", source, ours)
            b = run(promtool, "tsdb", "create-blocks-from", "openmetrics", source, theirs)
            check(f"input {bad!r} is refused", a[0] == b[0] == 1 and a[2], (a, b))

        damaged = sorted(glob.glob(ours + "/*/chunks/000001"))[0]
        with open(damaged, "r+b") as f:
            f.seek(40)
            byte = f.read(1)
            f.seek(40)
            f.write(bytes([byte[0] ^ 0xFF]))
        code, out, _ = run(epitool, "tsdb", "verify", ours)
        check("verify finds a flipped byte", code == 1 and "DAMAGED" in out, out)
        code, _, err = run(epitool, "tsdb", "dump", ours)
        check("dump of a damaged block is an error", code == 1 and "checksum" in err, err)
    print(f"{len(failures)} wrong")
    sys.exit(1 if failures else 0)


main()
