"""A reader of the text formats, written apart from the server's: enough to compute expected values from recorded bodies."""
import re

LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?')
UNESCAPE = {"n": "\n", "\\": "\\", '"': '"'}


def number(text):
    return float({"+Inf": "inf", "-Inf": "-inf", "Nan": "nan"}.get(text, text))


def normalised(name, labels):
    """le and quantile values as floats print in OpenMetrics ("1" is "1.0"), as the server stores them."""
    for key in ("le", "quantile"):
        if key in labels and (key != "le" or name.endswith("_bucket")):
            value = labels[key]
            if re.fullmatch(r"-?[0-9]+", value):
                labels[key] = value + ".0"
    return labels


def parse(body):
    """{(name, frozenset of label pairs): value} of one body. Exemplars and timestamps are not kept."""
    out = {}
    for line in body.split("\n"):
        if not line or line.startswith("#"):
            continue
        brace = line.find("{")
        space = line.find(" ")
        if brace != -1 and (space == -1 or brace < space):
            name, at, labels = line[:brace], brace + 1, {}
            while line[at] != "}":
                match = LABEL.match(line, at)
                labels[match[1]] = re.sub(r"\\(.)", lambda m: UNESCAPE.get(m[1], m[0]), match[2])
                at = match.end()
            rest = line[at + 1:]
        else:
            name, labels, rest = line[:space], {}, line[space:]
        out[(name, frozenset(normalised(name, labels).items()))] = number(rest.split()[0])
    return out
