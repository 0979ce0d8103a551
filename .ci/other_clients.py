"""Runs the commands of docs/other-clients.md, and checks that a push arrives."""

import json
import os
import pathlib
import pty
import re
import shlex
import subprocess
import threading
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
PAGE = (REPOSITORY / "docs/other-clients.md").read_text()
DOCUMENTED_ADDRESS = "ws://127.0.0.1:3030/dev"
DEADLINE = 60


def main():
    herald = subprocess.Popen(
        ["cargo", "run", "--quiet", "-p", "herald-local", "--", "--port", "0", "--json", "--log", "error"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        stack = json.loads(herald.stdout.readline())
        with wscat(stack["webSocket"]) as output:
            expect_push(output, stack["endpoint"])
        for command in commands("wscat")[1:]:
            with wscat(stack["webSocket"], command) as output:
                output.wait_for("Connected")
                print(f"connects: {command}")
    finally:
        herald.terminate()
        herald.wait()


def expect_push(output, endpoint):
    output.wait_for('"type":"ack"')
    put("order-1", "hello", endpoint)
    output.wait_for("hello")
    print("wscat: subscribed, and got the push")


def wscat(address, command=None):
    words = shlex.split((command or commands("wscat")[0]).replace("$HERALD_TOKEN", "a.b.c"))
    installed = [str(REPOSITORY / "web/node_modules/.bin/wscat")]
    assert words[:2] == ["npx", f"wscat@{wscat_version()}"], words
    return Output(installed + [address if word == DOCUMENTED_ADDRESS else word for word in words[2:]])


def wscat_version():
    return json.loads((REPOSITORY / "web/package.json").read_text())["devDependencies"]["wscat"]


def commands(heading):
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S).group(1)
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)
    return [line for block in blocks for line in block.splitlines()]


def put(entity, message, endpoint):
    detail = json.dumps({"entityId": entity, "message": message})
    entry = {"Source": "ci", "DetailType": "Entity Updated", "Detail": detail}
    headers = {"X-Amz-Target": "AWSEvents.PutEvents", "Content-Type": "application/x-amz-json-1.1"}
    body = json.dumps({"Entries": [entry]}).encode()
    answer = json.load(urllib.request.urlopen(urllib.request.Request(endpoint, body, headers)))
    assert answer["FailedEntryCount"] == 0, answer


class Output:
    """A running program with its output, on a terminal of its own, because wscat ends without one."""

    def __init__(self, command):
        self.text = ""
        self.terminal, end = pty.openpty()
        self.process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end, close_fds=True)
        os.close(end)
        self.changed = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            while data := os.read(self.terminal, 65536):
                self.add(data.decode(errors="replace"))
        except OSError:
            pass  # On Linux, the end of the program is this error.

    def add(self, text):
        with self.changed:
            self.text += text
            self.changed.notify_all()

    def wait_for(self, text):
        with self.changed:
            arrived = self.changed.wait_for(lambda: text in self.text, DEADLINE)
        if not arrived:
            raise SystemExit(f"{text} did not arrive:\n{self.text}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


main()
