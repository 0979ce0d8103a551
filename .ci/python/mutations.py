"""Takes each rule of continuity, presence and polling out of the Python client's machine.

A shared case has to notice each. A few rules need a test of the machine's own. They are marked.
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
    ("top beyond the position is asked for", "continuity.py", 'whole_number(answer.get("top")) or 0', "0"),
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
        "not request.is_read and (may_read or request.is_shared)",
        "may_read or request.is_shared",
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
        "(may_read or request.is_shared)",
        "may_read",
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
    # The choice between a WebSocket and polling.
    (
        "a client without a poll URL does not poll",
        "transports.py",
        "return rules.poll and is_obstructed",
        "return is_obstructed",
    ),
    ("a WebSocket is tried after a poll that failed", "transports.py", "and not poll_failed and", "and"),
    ("a client that polls tries WebSockets", "transports.py", "not poll_failed and machine.current is None", "True"),
    (
        "three handshakes fail before the client polls",
        "transports.py",
        "obstacles.blocked >= rules.obstacle_limit and",
        "",
    ),
    (
        "handshakes fail for long enough before the client polls",
        "transports.py",
        " and obstacles.blocked_for >= rules.obstacle_after",
        "",
    ),
    (
        "the time of handshakes that fail begins with the first",
        "transports.py",
        "    if obstacles.blocked == 0:\n",
        "    if True:\n",
    ),
    ("the time of handshakes that fail begins with the attempt", "transports.py", "= link.started_at", "= machine.now"),
    ("a status of the server is no obstacle", "transports.py", "(status in (401, 403, 429) or status >= 500)", "False"),
    (
        "a WebSocket that opens ends the count",
        "transports.py",
        "        machine.obstacles.blocked = 0\n",
        "        pass\n",
    ),
    (
        "connections that are cut make the client poll",
        "transports.py",
        "is_blocked or obstacles.killed >= rules.obstacle_limit",
        "is_blocked",
    ),
    ("a close frame is no cut", "transports.py", "not close_frame and machine.now", "machine.now"),
    (
        "a connection that lasts is not cut",
        "transports.py",
        " and machine.now - link.opened_at <= machine.rules.killed_within",
        "",
    ),
    ("the transport is told", "transports.py", "        machine.perform(TransportChanged(transport))\n", ""),
    (
        "a token that comes too late is no obstacle",
        "transports.py",
        "link.is_polling or not link.is_opening",
        "link.is_polling",
        OWN,
    ),
    (
        "a WebSocket is stable before it takes over from polls",
        "connecting.py",
        "current.is_polling and not following.is_stable",
        "False",
    ),
    ("refusals beside the polls do not count", "connecting.py", "if not is_beside_polls and not", "if not"),
    (
        "refusals after a WebSocket took over do not count",
        "connecting.py",
        "not is_beside_polls and not is_lingering and",
        "not is_beside_polls and",
    ),
    (
        "the answer to a former poll ends no subscription",
        "syncing.py",
        "link.is_polling and link not in machine.lingering",
        "link.is_polling",
    ),
    (
        "a former poll without an answer leaves the messages beside it",
        "requests.py",
        "not is_message and link not in machine.lingering",
        "not is_message",
    ),
    (
        "WebSockets are tried from time to time",
        "connecting.py",
        "machine.rules.web_socket_retry if link.is_polling else machine.rules.renew_after",
        "machine.rules.renew_after",
    ),
    (
        "they are after a WebSocket that failed",
        "connecting.py",
        "_renew_delay(machine, current) if current.is_polling else delay",
        "delay",
    ),
    (
        "refusals without a status do not count if a poll has one",
        "connecting.py",
        "    if machine.rules.poll:\n        return False\n",
        "",
    ),
    (
        "the time of handshakes that fail ends with the last failure",
        "transports.py",
        "obstacles.blocked_for >= rules.obstacle_after",
        "machine.now - obstacles.blocked_since >= rules.obstacle_after",
    ),
    # Polls.
    ("polls have a random addition", "polling.py", "(1 + 0.1 * machine.random())", "1"),
    ("the server demands the pause", "polling.py", "    if pause > 0:\n        link.poll_after = pause\n", ""),
    ("the pause is longer after an error", "polling.py", "min(2 * link.poll_after, _LONGEST_PAUSE)", "link.poll_after"),
    (
        "a subscription that polls has its position",
        "subscribing.py",
        "return {} if log.position is None else log.position.to_dict()",
        "return {}",
    ),
    (
        "an entity without a log cannot be polled",
        "polling.py",
        '("offset" in result and asked.log.rewind is None)',
        "asked.log.rewind is None",
    ),
    ("the last messages cannot be polled", "polling.py", " and asked.log.rewind is None", ""),
    ("a subscription whose log ended ends", "syncing.py", "may_end and _is_unreadable(result)", "False"),
    (
        "messages go out one after the other",
        "requests.py",
        "not link.is_polling or link.oldest_send == math.inf",
        "True",
    ),
    ("what needs a WebSocket is refused", "requests.py", "link.is_polling and message.needs_web_socket", "False"),
    (
        "a message without an answer has an unknown outcome",
        "polling.py",
        "isinstance(request, MessageRequest) and request.message.safe_to_repeat",
        "isinstance(request, MessageRequest)",
    ),
    (
        "a message is repeated after a delay",
        "polling.py",
        "requests.requeue_later(machine, request.message)",
        "machine.outbox.put(request.message)",
    ),
    ("a 429 of Lambda is a throttle", "polling.py", "_THROTTLED if status == 429 else None", "None"),
    (
        "a poll without an answer ends the link",
        "requests.py",
        "link.is_polling and not is_message and link not in machine.lingering",
        "False",
    ),
    ("a refused poll counts", "polling.py", "status == 401 or (status == 403 and not is_message)", "False"),
    (
        "a refused message goes back to its place",
        "polling.py",
        "        machine.outbox.put(request.message)\n    machine.perform",
        "    machine.perform",
    ),
    (
        "the token of a link that polls is renewed",
        "connecting.py",
        "    link.token = token\n    if not link.is_polling:",
        "    if not link.is_polling:",
    ),
    ("a hint polls at once", "connecting.py", "polling.poll(machine, current)", "pass"),
    ("polls read on by another poll", "syncing.py", "if link.is_polling or not log.may_read", "if not log.may_read"),
    (
        "a poll about one log without a message is a loss",
        "continuity.py",
        "log.may_read and not is_polling",
        "log.may_read",
    ),
    ("a client that polls sends no pings", "keep_alive.py", "    if link.is_polling:\n        return\n", ""),
    # Presence.
    ("a subscription asks for presence", "subscribing.py", '{"presence": True} if asks else {}', "{}"),
    (
        "users are in the order of their ids",
        "presence.py",
        "sorted(members, key=lambda member: member.user_id)",
        "members",
    ),
    ("a user who joins again is replaced", "presence.py", "[*stayed, *change.joined]", "[*change.joined, *stayed]"),
    ("users leave", "presence.py", "if user not in change.left]", "]"),
    ("a change of a known version is dropped", "presence.py", "change.version <= presence.version", "False"),
    ("only the next version is applied", "presence.py", " and version == self.version + 1", ""),
    (
        "a count alone is applied",
        "presence.py",
        "                self.move_to(version, Presence(change.count, None))\n",
        "                pass\n",
    ),
    (
        "members that an acknowledgement lacks are asked for",
        "presence.py",
        "is_acknowledgement and lacks_members",
        "False",
    ),
    ("above the limit of every stack they are not", "presence.py", " and snapshot.count <= _MEMBERS_LIMIT", ""),
    (
        "an older snapshot is dropped",
        "presence.py",
        "presence.version is None or snapshot.version >= presence.version",
        "True",
    ),
    ("held changes are bounded", "presence.py", "        del presence.held[min(presence.held)]\n", "        pass\n"),
    (
        "the client asks for a snapshot",
        "presence.py",
        "        _ask_after(machine, entity, rounded(machine.rules.presence_spread * machine.random()))\n",
        "        pass\n",
    ),
    (
        "the wait for a snapshot is random",
        "presence.py",
        "machine.rules.presence_spread * machine.random()",
        "machine.rules.presence_spread",
    ),
    (
        "the wait ends if nothing is missing",
        "presence.py",
        "        machine.timers.cancel(timer)\n    elif",
        "        pass\n    elif",
    ),
    (
        "one request for presence is in flight",
        "presence.py",
        "(isinstance(request, PresenceRequest) and request.entity == entity)",
        "False",
    ),
    (
        "a subscribe counts as a request for presence",
        "presence.py",
        "(isinstance(request, SubscribeRequest) and entity in request.entities)",
        "False",
    ),
    (
        "a transient error is followed by another request",
        "presence.py",
        "        _ask_after(machine, entity, presence.back_off.next(machine.rules, machine.random()))\n",
        "        pass\n",
    ),
    (
        "a closed gap needs no other request",
        "presence.py",
        "elif presence is not None and presence.is_behind:",
        "elif presence is not None:",
    ),
    ("a snapshot ends the delays", "presence.py", "    presence.back_off.reset()\n", ""),
    (
        "refused presence is told",
        "presence.py",
        "    if not is_retryable(error):\n        refuse(machine, entity, error)\n    elif",
        "    if",
    ),
    (
        "a refused subscribe is repeated without presence",
        "subscribing.py",
        "if asked.presence and presence.may_be_refused_by(error):",
        "if False:",
    ),
    (
        "refused presence is not asked for again",
        "presence.py",
        "presence is not None and presence.error is None and not link",
        "presence is not None and not link",
    ),
    (
        "changes after a refusal are ignored",
        "presence.py",
        "presence is None or presence.error is not None or change is None",
        "presence is None or change is None",
    ),
    ("no presence is told", "subscribing.py", "    elif asked.presence:\n", '    elif answer.get("presence"):\n'),
    ("only what differs is told", "presence.py", "    if presence.told != presence.set:\n", "    if True:\n"),
    ("a later subscriber is told", "presence.py", "    if presence.told is not _Unknown.UNKNOWN:\n", "    if False:\n"),
    (
        "a later subscriber that asks makes the client subscribe again",
        "subscribing.py",
        'return None if state.presence == presence.is_asked_for(machine, link, entity) else "subscribe"',
        "return None",
    ),
    ("that subscriber waits", "subscriptions.py", "if is_complete or not presence]", "]"),
    (
        "without a subscriber that asks, presence ends",
        "presence.py",
        "    if presence.subscribers == 0:\n",
        "    if False:\n",
    ),
    ("a wait ends with its subscription", "presence.py", "    machine.timers.cancel(_timer_of(entity))\n", ""),
    ("a lost connection forgets the version", "presence.py", "        if not is_connected:\n", "        if False:\n"),
    (
        "another connection keeps the version",
        "presence.py",
        "is_connected = _link_of(machine) is not None",
        "is_connected = False",
    ),
    (
        "another connection is asked",
        "presence.py",
        "            presence.forget_version()\n        _watch(machine, entity, presence)\n",
        "            presence.forget_version()\n",
    ),
    (
        "a client that polls does not ask for presence",
        "presence.py",
        "presence.error is None and not link.is_polling",
        "presence.error is None",
    ),
    (
        "while the client polls there is no presence",
        "subscribing.py",
        "        presence.polled(machine, entity)\n",
        "        pass\n",
    ),
    (
        "a presence that a WebSocket beside the polls told stays",
        "presence.py",
        "    if not any(state is not None and state.presence for state in states):\n",
        "    if True:\n",
    ),
    (
        "a presence ends with the WebSocket beside the polls",
        "presence.py",
        "        if _polls_alone(machine):\n            snapshot_arrived(machine, entity, None)\n",
        "",
    ),
    (
        "a WebSocket that lingers beside polls tells no snapshot",
        "presence.py",
        "None if _polls_alone(machine) else _read(object_of",
        "_read(object_of",
    ),
    (
        "a WebSocket that lingers beside polls tells no change",
        "presence.py",
        "None if _polls_alone(machine) else _read(frame",
        "_read(frame",
    ),
    (
        "a WebSocket beside the polls tells presence",
        "presence.py",
        "(link for link in machine.links_in_use if not link.is_polling)",
        "iter(machine.links_in_use)",
    ),
    # The keep-alives that an acknowledgement demands.
    (
        "a demand is a whole number from 1",
        "keep_alive.py",
        "return seconds * 1000 if seconds else None",
        "return None if seconds is None else seconds * 1000",
    ),
    (
        "an entity that the reply refuses demands none",
        "subscribing.py",
        "        if error is None:\n            _demand_keep_alive(link, entity, demanded)\n",
        "        _demand_keep_alive(link, entity, demanded)\n        if error is None:\n",
    ),
    (
        "a connection that a renewal replaced does not ping",
        "keep_alive.py",
        "    if link is machine.current or link is machine.next:\n        plan_ping(machine, link)\n",
        "    plan_ping(machine, link)\n",
    ),
    (
        "an acknowledgement demands keep-alives",
        "keep_alive.py",
        "        times.append(link.pinged_at + link.keep_alive)\n",
        "        pass\n",
    ),
    ("they are counted from the last ping", "keep_alive.py", "    link.pinged_at = machine.now\n", ""),
    (
        "the shortest time counts",
        "keep_alive.py",
        "min(link.keep_alives.values(), default=None)",
        "max(link.keep_alives.values(), default=None)",
    ),
    (
        "a subscription that ends demands none",
        "subscribing.py",
        "    if link.keep_alives.pop(entity, None) is not None:\n",
        "    if False:\n",
    ),
    (
        "another acknowledgement replaces the demand",
        "subscribing.py",
        "        link.keep_alives.pop(entity, None)\n    else:",
        "        pass\n    else:",
    ),
    (
        "the connection of a renewal pings, too",
        "keep_alive.py",
        "if link.keep_alive is not None:",
        "if link.keep_alive is not None and link is machine.current:",
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
