"""Runs checkov over CloudFormation templates: check.py TEMPLATE….

Fails if a failing check is not in waivers.yaml, and if a waiver is not needed.
"""

import json
import pathlib
import subprocess
import sys

import yaml

HERE = pathlib.Path(__file__).parent
CHECKOV = pathlib.Path(sys.executable).with_name("checkov")


def main(*templates):
    waivers = yaml.safe_load((HERE / "waivers.yaml").read_text(encoding="utf-8"))
    command = [sys.executable, CHECKOV, "--framework", "cloudformation", "--skip-download", "-o", "json", "-f", *templates]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    report = json.loads(run.stdout)
    failed = report["results"]["failed_checks"]
    unwaived = [check for check in failed if check["check_id"] not in waivers]
    unneeded = waivers.keys() - {check["check_id"] for check in failed}
    for check in unwaived:
        print(f"{check['resource']}: {check['check_id']}: {check['check_name']}")
    for check_id in sorted(unneeded):
        print(f"waivers.yaml: remove {check_id}, which no resource fails any more")
    summary = report["summary"]
    print(f"{summary['passed']} passed, {summary['failed']} failed, {summary['failed'] - len(unwaived)} of them waived")
    return 1 if unwaived or unneeded or not summary["passed"] else 0


sys.exit(main(*sys.argv[1:]))
