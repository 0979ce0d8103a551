"""Checks the line of JSON that a bench prints last: docs/benchmarks.md."""

import json
import sys

UNITS = {"1/s", "%", "B", "MB", "ms", "s", "µs"}
LINE = {"bench", "short", "binaries", "machine", "figures"}
MACHINE = {"cores", "processor", "platform", "compiler", "profile"}
FIGURE = {"name", "case", "value", "unit"}


def check(condition, message):
    if not condition:
        sys.exit(f"the line of figures: {message}")


line = json.loads(sys.stdin.read().splitlines()[-1])
check(line.keys() == LINE, f"its members are {sorted(line)}")
check(line["bench"] == sys.argv[1], f"it is of {line['bench']}, not of {sys.argv[1]}")
check(line["short"] is True, "it is not of a short run")
check(line["machine"].keys() == MACHINE, f"its machine has {sorted(line['machine'])}")
check(line["figures"], "it has no figures")
seen = set()
for figure in line["figures"]:
    check(figure.keys() == FIGURE, f"a figure has {sorted(figure)}")
    check(figure["unit"] in UNITS, f"the unit {figure['unit']} is unknown")
    check(isinstance(figure["value"], (int, float)), f"the value of {figure['name']} is no number")
    key = (figure["name"], json.dumps(figure["case"], sort_keys=True))
    check(key not in seen, f"{key} occurs twice")
    seen.add(key)
print(f"the line of {line['bench']} has {len(seen)} figures")
