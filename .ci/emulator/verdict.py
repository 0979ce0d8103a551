"""Judges the output of the suite under `cargo test` by the emulator's known defects.

usage: verdict.py DEFECTS < OUTPUT

A test may fail if DEFECTS excuses it. A failure without an excuse is an error, and so is an excuse
whose test passes, is ignored or does not exist: remove such an excuse.
"""

import re
import sys
import tomllib

RESULT = re.compile(r"test (?P<name>\S+) \.\.\. (?P<result>ok|FAILED|ignored)(?:, (?P<reason>.*))?$")


def main(defects):
    with open(defects, "rb") as file:
        excuses = {name: defect["defect"] for defect in tomllib.load(file)["defect"] for name in defect["tests"]}
    results, complete = {}, False
    for line in sys.stdin:
        print(line, end="", flush=True)
        if match := RESULT.match(line.rstrip()):
            results[match["name"]] = (match["result"], match["reason"])
        complete |= line.startswith("test result: ")

    named = lambda wanted: sorted(name for name, (result, _) in results.items() if result == wanted)
    passed, failed, skipped = named("ok"), named("FAILED"), named("ignored")
    wrong = [f"{name} failed, and no defect of the emulator excuses it" for name in failed if name not in excuses]
    wrong += [f"{name} did not fail: remove its excuse" for name in sorted(excuses.keys() - set(failed))]
    if not (complete and passed):
        wrong.append("the suite did not finish")

    print("\nSkipped, because they need the local stack:")
    for name in skipped:
        print(f"  {name}: {results[name][1]}")
    print("\nExcused, because the emulator differs from AWS:")
    for name in failed:
        print(f"  {name}: {excuses.get(name, 'NO EXCUSE')}")
    print(f"\n{len(passed)} passed, {len(failed)} excused, {len(skipped)} skipped.")
    sys.exit("\n".join(wrong) or None)


main(*sys.argv[1:])
