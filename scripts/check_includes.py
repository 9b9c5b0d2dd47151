#!/usr/bin/env python3
"""Holds every #include line against the module table: check_includes.py CHECKOUT TABLE

TABLE has a line a module, "name: dep;dep". A file in src/NAME may include its own module's headers and those of its declared
dependencies; a test may include "testing/…" too. Heavy libraries may be included only by .cc files, so that no header of ours
makes others pay for them.
"""
import pathlib
import re
import sys

HEAVY = re.compile(r"<(boost/(asio|beast)|nlohmann/|spdlog/|yaml-cpp/|prometheus/|curl/|re2/|simdjson|openssl/|CLI/|protozero/|ares)")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|(<[^>]+>))', re.M)


def main():
    root, table = pathlib.Path(sys.argv[1]), {}
    for line in open(sys.argv[2]):
        name, deps = line.strip().split(":", 1)
        table[name] = {d for d in deps.strip().split(";") if d}
    wrong = []
    for name, deps in table.items():
        for dep in deps:
            if name in table.get(dep, ()):
                wrong.append(f"modules {name} and {dep} depend on each other")
        for path in sorted((root / "src" / name).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            is_test = re.search(r"_(test|bench|fuzz)\.cc$", path.name)
            for ours, system in INCLUDE.findall(path.read_text()):
                where = path.relative_to(root)
                if system:
                    if path.suffix == ".h" and HEAVY.match(system):
                        wrong.append(f"{where}: a header includes {system}; hide it in a .cc")
                    continue
                module = ours.split("/", 1)[0]
                if module == name or module in deps or (is_test and module == "testing"):
                    continue
                wrong.append(f'{where}: includes "{ours}", but the table gives {name} only: {", ".join(sorted(deps)) or "nothing"}')
    print("\n".join(wrong) or f"{len(table)} modules hold to their table")
    return 1 if wrong else 0


sys.exit(main())
