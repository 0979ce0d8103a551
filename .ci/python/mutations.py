"""Takes each rule of continuity out of the Python client's machine: a shared case has to notice each.

A few rules need a test of the machine's own. They are marked.
"""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = pathlib.Path("python/herald-client")
MACHINE = pathlib.Path("src/herald_client/_machine")
CASES = "tests/test_behaviour.py"
OWN = "tests/test_machine.py"

# The rule, the file, a text that stands there once, its replacement, and the tests if not the cases.
MUTATIONS = [
    # Order.
    ("a push up to the position is dropped", "log.py", "or position.offset > self.position.offset", "or True"),
    (
        "a push beyond the next is held",
        "log.py",
        "return self._held.get(Position(offset, self.position.epoch))",
        "return next(iter(self._held.values()))",
    ),
    ("a gap starts a timer", "gaps.py", "    machine.gaps[log] = machine.now + delay\n", "    pass\n"),
    ("the timer of a gap has a random share", "gaps.py", "machine.rules.gap_spread * machine.random()", "0"),
    (
        "a reply that does not close the gap starts the timer again",
        "continuity.py",
        "    log.back_off.reset()\n    log.confirm()\n    gaps.watch(machine, log)\n",
        "    log.back_off.reset()\n    log.confirm()\n",
    ),
    (
        "a push of another epoch is held",
        "log.py",
        "not self.continues_with(position) or position.offset",
        "position.offset",
    ),
    (
        "held pushes of another epoch are dropped after the reply",
        "log.py",
        "{at: push for at, push in self._held.items() if self.continues_with(at)}",
        "dict(self._held)",
    ),
    (
        "the first push tells the epoch of an empty log",
        "log.py",
        "self.position.epoch in (None, position.epoch)",
        "self.position.epoch == position.epoch",
    ),
    (
        "more than the held limit asks at once",
        "continuity.py",
        "elif log.held > machine.rules.held_limit and",
        "elif log.held < 0 and",
    ),
    (
        "more than can be held while asking is a loss",
        "continuity.py",
        "if log.held > machine.rules.held_while_asking:",
        "if log.held < 0:",
    ),
    (
        "the own message moves the position",
        "requests.py",
        "            if message.target is not None:",
        "            if message.target is None and False:",
    ),
    (
        "pushes before the first acknowledgement are held",
        "continuity.py",
        "    if log.position is None and not log.is_starting:\n",
        "    if log.position is None:\n",
    ),
    (
        "pushes before the acknowledgement of a saved position are held",
        "continuity.py",
        "    if log.is_starting:\n        return\n",
        "",
        OWN,
    ),
    (
        "a repeat with another offset is not delivered",
        "pushes.py",
        'is_new = machine.repeats.insert(frame.get("eventId"))',
        "is_new = True",
    ),
    # Recovery.
    ("a subscription has the position", "subscribing.py", 'return {"recover": log.position.to_dict()}', "return {}"),
    ("a subscription may rewind", "subscribing.py", '{"rewind": log.rewind}', "{}"),
    (
        "the messages of a reply are delivered once",
        "continuity.py",
        "if following is None or not log.is_before(following):",
        "if following is None:",
    ),
    (
        "messages of a reply move the position",
        "continuity.py",
        "    if log.is_before(position):\n        log.move_to(position)\n    log.confirm()\n",
        "    log.confirm()\n",
    ),
    ("top beyond the position is asked for", "continuity.py", "0 if top is None else top.offset", "0"),
    (
        "top beyond the position is asked for 1 s after the acknowledgement",
        "continuity.py",
        "machine.rules.gap_after if request.is_acknowledgement else None",
        "None",
    ),
    (
        "a full reply is read on",
        "continuity.py",
        'answer.get("more") is True and',
        'answer.get("more") == 7 and',
    ),
    (
        "a full reply is read on with sync if history is refused",
        "syncing.py",
        "    log.may_read = False\n    machine.to_read[log] = None\n",
        "    log.may_read = False\n",
    ),
    (
        "a sync for reading on is about the audience alone",
        "syncing.py",
        "        _send_sync(machine, link, [log])\n",
        "        machine.to_sync.update(dict.fromkeys(machine.logs.known))\n",
        OWN,
    ),
    (
        "a full history without a message is a loss",
        "continuity.py",
        "not request.is_read and (log.may_read or request.is_shared)",
        "log.may_read or request.is_shared",
        OWN,
    ),
    (
        "a full reply without a message is a loss",
        "continuity.py",
        "    if log.position == asked and not may_lack_room:",
        "    if False:",
    ),
    (
        "a shared reply without a message is read on",
        "continuity.py",
        "(log.may_read or request.is_shared)",
        "log.may_read",
        OWN,
    ),
    (
        "a full reply with messages that arrived meanwhile is not read on",
        "continuity.py",
        "is True and log.is_missing and",
        "is True and",
        OWN,
    ),
    (
        "the end of an epoch ends its overtaken pushes",
        "log.py",
        "self._top = self.adopted_at = 0",
        "self._top = 0",
        OWN,
    ),
    (
        "a first position is asked for on the successor of a broken connection",
        "requests.py",
        '    if log.is_starting and log.audience.to != "entity":\n',
        "    if False:\n",
        OWN,
    ),
    (
        "a log that is to be read on is not compared",
        "gaps.py",
        "        log in machine.to_read\n        or log in machine.to_sync\n        or any(answer",
        "        any(answer",
        OWN,
    ),
    (
        "a new subscriber does not take the reply of one that left",
        "subscribing.py",
        "if log is not None and not is_of_this_session and position is not None",
        "if False and position is not None",
    ),
    (
        "a session that ended takes no answer",
        "continuity.py",
        "    if log.has_ended:\n        return\n    position = position_of(answer)",
        "    position = position_of(answer)",
        OWN,
    ),
    (
        "a subscription that ends forgets its position",
        "logs.py",
        "self._entities.pop(entity, None)",
        "self._entities.get(entity)",
    ),
    ("a loss is told", "continuity.py", "    machine.perform(Lose(log.audience, position))\n", ""),
    (
        "a loss is not told if the client has every message already",
        "continuity.py",
        "log.position.epoch == position.epoch and not log.is_before(position)",
        "False",
        OWN,
    ),
    (
        "a loss before a position that moved is compared again",
        "continuity.py",
        "    elif log.position != asked:\n",
        "    elif False:\n",
        OWN,
    ),
    (
        "a log that is switched off is told",
        "continuity.py",
        "    if log.position is not None or log.rewind is not None:\n",
        "    if False:\n",
    ),
    (
        "a push without an offset switches the log off",
        "continuity.py",
        "    if log.position is not None and not log.is_starting:\n        end_log(machine, log)\n",
        "",
    ),
    (
        "a log that is switched on is followed",
        "continuity.py",
        "    log.move_to(position)\n    log.adopted_at",
        "    log.adopted_at",
    ),
    ("what its first push overtook is delivered", "continuity.py", "    log.adopted_at = position.offset\n", "", OWN),
    (
        "a permanent error of a sync is a loss",
        "syncing.py",
        "    else:\n        continuity.give_up(machine, log)\n",
        "",
    ),
    (
        "the client asks again after a transient error of a sync",
        "syncing.py",
        "    if is_retryable(error):\n        gaps.ask_later(machine, log, jitter)\n    elif log.position is None",
        "    if log.position is None",
    ),
    # `sync`.
    ("sync takes the place of the ping", "keep_alive.py", "if not syncing.sync_all(machine, link):", "if True:"),
    ("a ping is a ping while a sync is unanswered", "syncing.py", "or is_syncing:", "or False:", OWN),
    (
        "the first frame asks for what is followed",
        "requests.py",
        "        syncing.send_first_sync(machine, link)\n",
        "",
    ),
    (
        "an audience that is followed later is asked for",
        "syncing.py",
        "        gaps.ask_now(machine, log)\n\n\ndef _is_to_be_named",
        "        pass\n\n\ndef _is_to_be_named",
    ),
    (
        "pushes before the first reply are held",
        "syncing.py",
        "            log.is_starting = True\n",
        "            pass\n",
    ),
    (
        "the first position is that before the first push held",
        "continuity.py",
        "log.position_before(position) if is_first else None",
        "None",
    ),
    (
        "what was on its way at the first reply is delivered",
        "continuity.py",
        "            log.delivered_before = 0\n",
        "            pass\n",
    ),
    ("what was on its way is delivered once", "continuity.py", "        log.delivered_before = position.offset\n", ""),
    ("a server without the log is asked once", "continuity.py", "    log.is_absent = True\n", ""),
    ("a server that does not know sync is asked once", "syncing.py", "or is_unknown_action(error)", "or False", OWN),
    ("a frame names at most a hundred entities", "batch.py", "ENTITIES_AT_ONCE = 100", "ENTITIES_AT_ONCE = 101"),
    ("a frame is no longer than 32 KiB", "batch.py", "_FRAME_LIMIT = 32 * 1024", "_FRAME_LIMIT = 33 * 1024"),
    (
        "a sync does not wait for a place",
        "requests.py",
        "        syncing.send_syncs(machine, link)\n",
        "        if len(link.in_flight) < limit:\n            syncing.send_syncs(machine, link)\n",
        OWN,
    ),
    (
        "a sync names the entities in their order",
        "syncing.py",
        "for entity in sorted(by_entity):",
        "for entity in by_entity:",
        OWN,
    ),
    # The own messages in answers.
    (
        "an answer waits for the acknowledgements of own messages",
        "pushes.py",
        "    if not may_have_own or",
        "    if True or",
        OWN,
    ),
    (
        "a message on the other connection waits for the acknowledgements of own messages",
        "pushes.py",
        'if frame.get("type") != "message" or',
        "if True or",
    ),
]


def main() -> int:
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(noticed, MUTATIONS))
    return 0 if all(results) else 1


def noticed(mutation: tuple[str, ...]) -> bool:
    rule, file, text, replacement, *tests = mutation
    with tempfile.TemporaryDirectory() as scratch:
        package = copied(pathlib.Path(scratch))
        source = package / MACHINE / file
        if source.read_text().count(text) != 1:
            print(f"{file}: {text!r} stands there {source.read_text().count(text)} times, and has to once", flush=True)
            return False
        source.write_text(source.read_text().replace(text, replacement))
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *(tests or [CASES])]
        run = subprocess.run(command, cwd=package, capture_output=True, text=True, timeout=300)
    failures = [line for line in run.stdout.splitlines() if line.startswith("FAILED")]
    if run.returncode != 1 or not failures:
        print(f"NOT NOTICED: without {rule!r}\n{run.stdout[-2000:] if run.returncode != 0 else ''}", flush=True)
        return False
    print(f"noticed: without {rule!r}: {failures[0][:150]}", flush=True)
    return True


def copied(scratch: pathlib.Path) -> pathlib.Path:
    """Copies the package, and the cases beside it."""
    without = shutil.ignore_patterns("__pycache__", ".*_cache", "dist")
    for folder in (PACKAGE, pathlib.Path("client/tests/behaviour")):
        shutil.copytree(REPOSITORY / folder, scratch / folder, ignore=without)
    return scratch / PACKAGE


if __name__ == "__main__":
    sys.exit(main())
