"""Runs the program of docs/operating.md that deletes the heads of the history table, and checks its effect."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

import boto3

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
HISTORY = '{"**":{"messages":100,"seconds":600},"$everyone":{"messages":100,"seconds":600}}'
# More heads than a call of BatchWriteItem deletes.
ENTITIES = 60
DEADLINE = 60


def main():
    program = documented_program()
    herald = subprocess.Popen(
        ["cargo", "run", "--quiet", "-p", "herald-local", "--", "--port", "0", "--json", "--log", "error"]
        + ["--parameter", f"History={HISTORY}"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        stack = json.loads(herald.stdout.readline())
        os.environ |= {
            "AWS_ENDPOINT_URL": stack["endpoint"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }
        table = boto3.resource("dynamodb").Table(stack["tables"]["HistoryTable"])
        before = epochs_after_events(table)
        rows = len(table.scan()["Items"])
        subprocess.run([sys.executable, "-c", program, table.name], check=True)
        assert not heads(table), heads(table)
        assert len(table.scan()["Items"]) == rows - len(before), "the program deletes more than heads"
        after = epochs_after_events(table)
        assert not set(before.values()) & set(after.values()), "a log goes on in its former epoch"
        print(f"{len(before)} heads were deleted, and every log began another epoch")
    finally:
        herald.terminate()
        herald.wait()


def documented_program():
    page = (REPOSITORY / "docs/operating.md").read_text()
    section = re.search(r"^\*\*After a restore\.\*\*(.*?)(?=^## )", page, re.M | re.S).group(1)
    return re.search(r"^```python\n(.*?)^```", section, re.M | re.S).group(1)


def epochs_after_events(table):
    """Puts an event about each entity, and returns the epoch of each log once its message is stored."""
    events = boto3.client("events")
    names = [f"order-{number}" for number in range(ENTITIES)]
    for start in range(0, ENTITIES, 10):
        details = [json.dumps({"entityId": name, "message": 1}) for name in names[start : start + 10]]
        entries = [{"Source": "ci", "DetailType": "Entity Updated", "Detail": detail} for detail in details]
        answer = events.put_events(Entries=entries)
        assert answer["FailedEntryCount"] == 0, answer
    end = time.monotonic() + DEADLINE
    while True:
        stored = {item["pk"] for item in table.scan()["Items"]}
        found = {key: epoch for key, epoch in heads(table).items() if f"R#{key[2:]}#{epoch}" in stored}
        if len(found) == ENTITIES:
            return found
        assert time.monotonic() < end, f"{len(found)} of {ENTITIES} logs have a message"
        time.sleep(0.1)


def heads(table):
    """Returns the epoch of each log by the key of its head."""
    return {item["pk"]: item["epoch"] for item in table.scan()["Items"] if item["sk"] == "H"}


main()
