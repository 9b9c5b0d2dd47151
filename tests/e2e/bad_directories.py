#!/usr/bin/env python3
"""Data directories that the server cannot use: it says why in one sentence and leaves what is there as it is.

    bad_directories.py SERVER EPITOOL
"""
import glob
import json
import os
import shutil
import subprocess
import sys

from harness import Scratch, Server

failures = []


def check(what, condition, detail=""):
    print(("ok    " if condition else "WRONG ") + what + ("" if condition else f": {detail}"), flush=True)
    if not condition:
        failures.append(what)


def contents(folder):
    """{path: bytes, or None for a folder}."""
    out = {}
    for place, folders, files in os.walk(folder):
        for name in folders:
            out[os.path.relpath(os.path.join(place, name), folder)] = None
        for name in files:
            with open(os.path.join(place, name), "rb") as f:
                out[os.path.relpath(os.path.join(place, name), folder)] = f.read()
    return out


def overwrite(pattern, offset, new):
    def change(data):
        path = sorted(glob.glob(os.path.join(data, pattern)))[0]
        with open(path, "r+b") as f:
            f.seek(offset if offset >= 0 else os.path.getsize(path) + offset)
            f.write(new)

    return change


# What is done to a directory with one block, and what the server says of it.
CASES = [
    ("a later version of the index", overwrite("0*/index", 4, b"\x63"), "unknown index file version 99"),
    ("an index that is none", overwrite("0*/index", 0, b"\x00"), "the index is damaged: invalid magic number"),
    ("an absurd size of the symbol table", overwrite("0*/index", 5, b"\xff\xff\xff\xff"), "length of the symbol table"),
    ("an absurd table of contents", overwrite("0*/index", -52, b"\xff" * 48), "checksum of the table of contents"),
    ("a later version of the chunks", overwrite("0*/chunks/000001", 4, b"\x63"), "invalid chunk format version 99"),
    ("a later version of the tombstones", overwrite("0*/tombstones", 4, b"\x63"), "invalid tombstone format 99"),
]


def start(binary, folder, data):
    """(exit code, what it printed) of a server that is expected to end by itself."""
    config = os.path.join(folder, "empty.yml")
    with open(config, "w") as f:
        f.write("global: {}\n")
    done = subprocess.run([binary, f"--config.file={config}", f"--storage.tsdb.path={data}", "--web.listen-address=127.0.0.1:0"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    return done.returncode, done.stdout


def check_refusal(binary, folder, data, what, sentence):
    before = contents(data) if os.path.isdir(data) else None
    code, output = start(binary, folder, data)
    errors = [line for line in output.splitlines() if "level=ERROR" in line or line.startswith("Error")]
    check(f"{what}: refused in one sentence", code == 1 and len(errors) == 1 and sentence in errors[0], (code, output[-600:]))
    check(f"{what}: no word of a signal", "OS signal" not in output, output[-600:])
    if before is not None:
        after = contents(data)
        check(f"{what}: all is as it was", {path: after.get(path, "gone") for path in before} == before)
        # A lock, and a list of running queries, say that somebody looked; whose log it would be has nothing in it.
        check(f"{what}: nothing else is begun", set(after) - set(before) <= {"lock", "queries.active", "epimetheus"}, set(after) - set(before))


def main():
    binary, tool = sys.argv[1:3]
    with Scratch() as folder:
        samples = os.path.join(folder, "samples.om")
        with open(samples, "w") as f:
            f.write("".join(f"a{{n=\"{n}\"}} {n} {1_700_000_000 + 15 * i}\n" for n in range(3) for i in range(20)) + "# EOF\n")
        sound = os.path.join(folder, "sound")
        subprocess.run([tool, "tsdb", "create-blocks-from", "openmetrics", samples, sound], check=True, stdout=subprocess.DEVNULL, timeout=30)
        tombstones = os.path.join(glob.glob(os.path.join(sound, "0*"))[0], "tombstones")
        check("there is a file of tombstones to damage", os.path.exists(tombstones))
        for number, (what, change, sentence) in enumerate(CASES):
            data = os.path.join(folder, f"data{number}")
            shutil.copytree(sound, data)
            change(data)
            check_refusal(binary, folder, data, what, sentence)
        file = os.path.join(folder, "file")
        with open(file, "w") as f:
            f.write("no directory")
        check_refusal(binary, folder, file, "a file in place of the directory", file)
        with open(file) as f:
            check("the file is as it was", f.read() == "no directory")
        with Server(binary, "global: {}\n", os.path.join(folder, "one")).wait_ready() as server:
            code, output = start(binary, folder, server.data)
            check("a second server is kept out", code == 1 and "lock" in output, (code, output[-600:]))
            check("and the first goes on", server.request("GET", "/-/healthy")[0] == 200)
        # A folder without a readable meta.json may be a block that somebody is still writing: it is skipped, as in Prometheus.
        data = os.path.join(folder, "two", "data")
        shutil.copytree(sound, data)
        path = glob.glob(os.path.join(data, "0*", "meta.json"))[0]
        with open(path) as f:
            meta = json.load(f)
        with open(path, "w") as f:
            json.dump({**meta, "version": 9}, f)
        before = {name: text for name, text in contents(data).items() if name.startswith("0")}
        with Server(binary, "global: {}\n", os.path.join(folder, "two")).wait_ready() as server:
            check("a block with a later version of meta.json is skipped", "unexpected meta file version 9" in server.output())
        check("and stays as it is", {name: text for name, text in contents(data).items() if name.startswith("0")} == before)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
