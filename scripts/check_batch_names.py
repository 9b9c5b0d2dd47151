#!/usr/bin/env python3
"""Finds names that cannot be compiled together: check_batch_names.py CHECKOUT

The release build compiles the files of a module in batches, and which files share one changes whenever a file is added. So what
two files of a module define in their unnamed namespaces has to have two names. Functions may share one when their parameters
differ; aliases may, because they may say the same. Tests are batched apart from what they test, and those for the thread sanitizer
again.
"""
import collections
import pathlib
import re
import sys

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
TEXT = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
TYPE = re.compile(r"(?:template\s*<[^{]*>\s*)?(?:struct|class|enum class|enum|union)\s+(\w+)")
FUNCTION = re.compile(r"(?<![\w~])(\w+)\s*\(")
VARIABLE = re.compile(r"\b(\w+)\s*(?:\[[^\]]*\]\s*)*(?:=|\{)")
IGNORED = ("using", "namespace", "static_assert", "template <>", "TEST", "INSTANTIATE")


def unnamed_namespaces(text):
    """Their statements at the outermost level, bodies left out."""
    for start in re.finditer(r"namespace \{", text):
        depth, statement = 1, ""
        for c in text[start.end():]:
            depth += (c == "{") - (c == "}")
            if depth == 0:
                break
            if depth == 1 and c in ";}":
                yield statement.strip()
                statement = ""
            elif depth == 1 or (depth == 2 and c == "{"):
                statement += c


def name_of(statement):
    if not statement or statement.startswith(IGNORED):
        return None
    if found := TYPE.match(statement):
        return found[1] if statement.endswith("{") else None
    function, variable = FUNCTION.search(statement), VARIABLE.search(statement)
    if function and (not variable or function.start() < variable.start()):
        if not statement.endswith("{") or re.search(r"::\s*" + function[1] + r"\s*\(", statement):
            return None
        parameters = statement[function.end() - 1 : statement.rfind("{")]
        parameters = re.sub(r"\s*\b\w+(?=[,)])", "", re.sub(r"\s+", " ", parameters))
        return function[1] + parameters.strip()
    return variable[1] if variable else None


def main():
    root, wrong = pathlib.Path(sys.argv[1]), []
    names = collections.defaultdict(set)
    for path in sorted((root / "src").rglob("*.cc")):
        where = path.relative_to(root)
        if re.search(r"_(fuzz|bench)\.cc$", path.name) or path.name == "main.cc":
            continue
        kind = re.search(r"((_threads)?_test)?\.cc$", path.name)[1]
        batch = (where.parts[1], kind)
        text = TEXT.sub('""', COMMENT.sub("", path.read_text()))
        for statement in unnamed_namespaces(text):
            if name := name_of(statement):
                names[batch + (name,)].add(str(where))
    for (module, _, name), files in sorted(names.items(), key=str):
        if len(files) > 1:
            wrong.append(f"{name} of {module} is defined in {' and '.join(sorted(files))}")
    print("\n".join(wrong) or f"{len(names)} names, none twice in a module")
    sys.exit(1 if wrong else 0)


main()
