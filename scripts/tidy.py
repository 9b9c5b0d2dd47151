#!/usr/bin/env python3
"""House rules that a machine can check: tidy.py CHECKOUT

One row a rule: what must not appear, where, and why. A line may carry `// tidy: allow NAME, reason` where the rule does not fit.
"""
import pathlib
import re
import subprocess
import sys

CODE = (".h", ".cc")
RULES = [  # name, pattern, which paths, which are exempt, why
    ("clock", r"\b(?:time|clock_gettime|gettimeofday)\s*\(\s*(?:NULL|nullptr|0|CLOCK|&)|(?:system|steady|high_resolution)_clock::now", r"^src/", r"^src/base/clock\.cc|_bench\.cc$",
     "time comes from Clock"),
    ("random", r"\b(?:rand|srand|random|drand48|getrandom)\s*\(|std::(?:random_device|mt19937)", r"^src/", r"^src/base/random\.cc", "chance comes from Random"),
    ("file", r"\b(?:fopen|std::[io]?fstream|::open|::creat|::unlink|::rename|::mkdir|::opendir|std::filesystem)\b", r"^src/", r"^src/base/posix_|_test\.cc$|_bench\.cc$",
     "disk is reached through FileSystem"),
    ("sleep", r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\b|[^_.\w]sleep\s*\(", r"^(?:src|tests|tools)/.*\.(?:h|cc)$", r"^$", "nothing sleeps; wait on the clock or on the event"),
    ("throw", r"^\s*throw\b", r"^(?:src|tools)/", r"^$", "errors are values"),
    ("unfinished", r"\b(?:TODO|FIXME|XXX|HACK)\b", r"^(?:src|tests|tools|scripts|docs|cmake)/", r"^scripts/tidy\.py$", "finish it or write it down in docs/"),
    ("names", r"\b\w*(?:Utils?|Helpers?)\b\s*(?:\{|::)", r"^src/", r"^$", "name what the functions share"),
    ("exit", r"\b(?:std::)?(?:exit|_exit|quick_exit)\s*\(", r"^src/", r"^src/(?:app/|main\.cc)", "only the program decides to end"),
    ("print", r"std::(?:cout|cerr)|\bprintf\s*\(", r"^src/", r"^src/(?:app/|main\.cc|base/result\.cc)|_test\.cc$|_bench\.cc$", "log instead"),
    ("machine path", r"/(?:work|root|home)/\w", r"", r"^scripts/tidy\.py$", "nothing of one machine belongs in the repository"),
]
NAME_RULE = re.compile(r"(?:^|_)(?:utils?|helpers?|common|misc)(?:_|\.|$)")
MAX_LINES = 900  # a ratchet, not a wall: a longer file wants a table of contents


def main():
    root = pathlib.Path(sys.argv[1])
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    files = [f for f in listed.stdout.splitlines() if (root / f).is_file()]
    if not files:
        print("tidy: git lists no files here")
        return 1
    wrong = []
    for name in files:
        path = root / name
        if path.suffix in (".png", ".ico", ".gz", ".lock"):
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        lines = text.split("\n")
        code = path.suffix in CODE
        for rule, pattern, where, exempt, why in RULES:
            if not re.search(where, name) or (exempt != "" and re.search(exempt, name)):
                continue
            expression = re.compile(pattern)
            for number, line in enumerate(lines, 1):
                subject = line.split("//")[0] if code and rule not in ("unfinished", "machine path") else line
                if expression.search(subject) and f"tidy: allow {rule}" not in line:
                    wrong.append(f"{name}:{number}: {rule}: {why}: {line.strip()[:80]}")
        if code:
            if NAME_RULE.search(path.name):
                wrong.append(f"{name}: a file is named after the concept it holds")
            if len(lines) > MAX_LINES:
                wrong.append(f"{name}: {len(lines)} lines, more than {MAX_LINES}: split it by concept")
            for number, line in enumerate(lines, 1):
                if len(line) > 120 and "http" not in line and not re.search(r'"[^"]{60,}"|R"', line):
                    wrong.append(f"{name}:{number}: {len(line)} columns, more than 120")
        if path.suffix == ".h":
            if not lines[0].startswith("//"):
                wrong.append(f"{name}: a header begins with a sentence that says what it is")
            if "#pragma once" not in text:
                wrong.append(f"{name}: #pragma once is missing")
        if name.startswith("src/") and name.endswith("_test.cc") and not re.search(r"\b(?:EXPECT|ASSERT)_", text):
            wrong.append(f"{name}: a test without an assertion")
    print("\n".join(wrong) or f"{len(files)} files are tidy")
    return 1 if wrong else 0


sys.exit(main())
