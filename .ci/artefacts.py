"""Prints the size of every function that `sam build` made, and errs if one is missing or for another machine.

usage: artefacts.py BUILD ARCHITECTURE
"""

import sys
from pathlib import Path

from samcli.yamlhelper import yaml_parse

# The field e_machine of an ELF header.
MACHINES = {"x86_64": 62, "arm64": 183}


def main(build, architecture):
    build = Path(build)
    template = yaml_parse((build / "template.yaml").read_text(encoding="utf-8"))
    functions = [name for name, resource in template["Resources"].items() if resource["Type"].endswith("::Function")]
    for name in sorted(functions):
        bootstrap = (build / name / "bootstrap").read_bytes()
        machine = int.from_bytes(bootstrap[18:20], "little")
        if not bootstrap.startswith(b"\x7fELF") or machine != MACHINES[architecture]:
            sys.exit(f"{name} is not built for {architecture}")
        print(f"{architecture:>7} {len(bootstrap):>12,} bytes  {name}")


main(*sys.argv[1:])
