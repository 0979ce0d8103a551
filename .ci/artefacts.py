"""Checks that every function that `sam build` made can run where it is deployed, and prints its size.

usage: artefacts.py BUILD ENVIRONMENT

BUILD is the folder that `sam build --config-env ENVIRONMENT` filled. A function is an error if it is
missing, if `sam deploy --config-env ENVIRONMENT` would deploy it for another machine, or if it needs a
newer glibc than its runtime has.
"""

import sys
from pathlib import Path

from samcli.yamlhelper import yaml_parse

from elf import Elf
from environments import architecture

# The field e_machine of an ELF header.
MACHINES = {"x86_64": 62, "arm64": 183}
# The glibc of Amazon Linux 2023, which `provided.al2023` is made of.
# https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html
GLIBC = {"provided.al2023": (2, 34)}


def main(build, environment):
    build = Path(build)
    template = build / "template.yaml"
    machine = architecture(template, environment)
    document = yaml_parse(template.read_text(encoding="utf-8"))
    newest = GLIBC[document["Globals"]["Function"]["Runtime"]]
    functions = [name for name, resource in document["Resources"].items() if resource["Type"].endswith("::Function")]
    for name in sorted(functions):
        bootstrap = (build / name / "bootstrap").read_bytes()
        elf = Elf(bootstrap)
        if elf.machine != MACHINES[machine]:
            sys.exit(f"{name} must be built for {machine}, but its ELF machine is {elf.machine}")
        glibc = max(elf.glibc_versions(), default=(0,))
        if glibc > newest:
            sys.exit(f"{name} needs glibc {dotted(glibc)}, but its runtime has {dotted(newest)}")
        print(f"{machine:>7} {len(bootstrap):>12,} bytes, glibc {dotted(glibc)}  {name}")


def dotted(version):
    return ".".join(map(str, version))


main(*sys.argv[1:])
