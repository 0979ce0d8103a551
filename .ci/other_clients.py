"""Runs the programs of docs/other-clients.md, and checks that a push arrives."""

import json
import os
import pathlib
import pty
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
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
        for name, client in (("Python", python), ("wscat", wscat)):
            with client(stack["webSocket"]) as output:
                expect_push(name, output, stack["endpoint"])
        for command in commands("wscat")[1:]:
            with wscat(stack["webSocket"], command) as output:
                output.wait_for("Connected")
                print(f"connects: {command}")
    finally:
        herald.terminate()
        herald.wait()


def expect_push(name, output, endpoint):
    output.wait_for('"type":"ack"', '"type": "ack"')
    message = f"hello {name}"
    put("order-1", message, endpoint)
    output.wait_for(message)
    print(f"{name}: subscribed, and got the push")


def python(address):
    # In a folder of its own: Python imports modules from the folder of the program.
    program = pathlib.Path(tempfile.mkdtemp()) / "client.py"
    program.write_text(code("python", "Python")[0])
    return Output([sys.executable, str(program), address, "order-1"])


def wscat(address, command=None):
    words = shlex.split((command or commands("wscat")[0]).replace("$HERALD_TOKEN", "a.b.c"))
    installed = [str(REPOSITORY / "web/node_modules/.bin/wscat")]
    assert words[:2] == ["npx", f"wscat@{wscat_version()}"], words
    return Output(installed + [address if word == DOCUMENTED_ADDRESS else word for word in words[2:]])


def wscat_version():
    return json.loads((REPOSITORY / "web/package.json").read_text())["devDependencies"]["wscat"]


def commands(heading):
    return [line for block in code("sh", heading) for line in block.splitlines()]


def code(language, heading):
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S).group(1)
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.M | re.S)


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

    def wait_for(self, *texts):
        end = time.monotonic() + DEADLINE
        with self.changed:
            arrived = self.changed.wait_for(lambda: any(text in self.text for text in texts), end - time.monotonic())
        if not arrived:
            raise SystemExit(f"{texts[0]} did not arrive:\n{self.text}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


main()
