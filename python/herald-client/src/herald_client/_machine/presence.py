"""Presence: the users at an entity, as snapshots and changes of the server tell them.

A change has the next version and names who joined and who left. One that arrives too early is held, and the client asks
for a snapshot if those before it do not arrive soon.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

from .._json import encode
from ..position import whole_number
from ..presence import Member, Presence
from . import requests, subscribing
from .back_off import BackOff, rounded
from .failure import Failure, is_retryable
from .frame import object_of, objects_of
from .link import PresenceRequest, SubscribeRequest
from .signals import Frame, TellPresence

if TYPE_CHECKING:
    from .link import Link
    from .machine import Machine

# The most members that any stack lists.
_MEMBERS_LIMIT = 200


class _Unknown(Enum):
    """The set of which the server has told nothing yet."""

    UNKNOWN = "unknown"


# `None` is no presence.
_Set = Presence | None | _Unknown


@dataclass(frozen=True)
class _Told:
    """A change of a set, or a snapshot, whose users all joined. Without `joined` it tells the count alone."""

    version: int
    count: int
    joined: list[Member] | None
    left: frozenset[str]


class PresenceOfEntity:
    """The presence of an entity, from the first subscriber that asks for it to the last."""

    def __init__(self) -> None:
        self.subscribers = 1
        self.set: _Set = _Unknown.UNKNOWN
        # The set that the application was told.
        self.told: _Set = _Unknown.UNKNOWN
        # The version of the set. `None` until the server tells it on the present connection.
        self.version: int | None = None
        # The changes that are ahead of the set, by their versions.
        self.held: dict[int, _Told] = {}
        # True if an acknowledgement may have had no room for the members.
        self.lacks_members = False
        self.back_off = BackOff()
        # The reason for which the server refused to tell it.
        self.error: Failure | None = None

    @property
    def is_behind(self) -> bool:
        """True if the server is to be asked."""
        return bool(self.held) or self.lacks_members

    def move_to(self, version: int, presence: Presence) -> None:
        self.version = version
        self.set = presence
        self.lacks_members = False
        self.held = {at: change for at, change in self.held.items() if at > version}

    def catch_up(self) -> None:
        """Applies the held changes that come next. One that tells the count alone needs none of those before it."""
        for version, change in sorted(self.held.items()):
            members = self.set.members if isinstance(self.set, Presence) else None
            if change.joined is None:
                self.move_to(version, Presence(change.count, None))
            elif members is not None and self.version is not None and version == self.version + 1:
                stayed = [member for user, member in members.items() if user not in change.left]
                self.move_to(version, Presence(change.count, _by_id([*stayed, *change.joined])))

    def forget_version(self) -> None:
        """Forgets the version: the next snapshot replaces the set."""
        self.version = None
        self.lacks_members = False
        self.held.clear()


def join(machine: Machine, entity: str) -> None:
    """Adds a subscriber that asks for presence."""
    presence = machine.presences.get(entity)
    if presence is None:
        machine.presences[entity] = PresenceOfEntity()
        return
    presence.subscribers += 1
    if presence.told is not _Unknown.UNKNOWN:
        _tell(machine, entity, presence)


def leave(machine: Machine, entity: str) -> None:
    """Removes a subscriber that asked for presence."""
    presence = machine.presences.get(entity)
    if presence is None:
        return
    presence.subscribers -= 1
    if presence.subscribers == 0:
        end(machine, entity)


def end(machine: Machine, entity: str) -> None:
    """Forgets the presence of an entity."""
    machine.presences.pop(entity, None)
    machine.timers.cancel(_timer_of(entity))


def is_asked_for(machine: Machine, link: Link, entity: str) -> bool:
    """Returns `True` if a subscription on a link is to ask for presence."""
    presence = machine.presences.get(entity)
    return presence is not None and presence.error is None and not link.is_polling


def polled(machine: Machine, entity: str) -> None:
    """Notes that a link that polls acknowledged an entity, which then has no presence unless a WebSocket tells it."""
    states = [link.entities.get(entity) for link in machine.links_in_use]
    if not any(state is not None and state.presence for state in states):
        snapshot_arrived(machine, entity, None)


def snapshot_arrived(machine: Machine, entity: str, answer: object, *, is_acknowledgement: bool = False) -> None:
    """Takes a snapshot, unless a newer version is known. It is absent if the entity has no presence.

    `is_acknowledgement` is true if it is part of an acknowledgement.
    """
    presence = machine.presences.get(entity)
    if presence is None or presence.error is not None:
        return
    snapshot = None if _polls_alone(machine) else _read(object_of(answer) or {}, "members")
    presence.back_off.reset()
    if snapshot is None:
        presence.forget_version()
        presence.set = None
    elif presence.version is None or snapshot.version >= presence.version:
        presence.move_to(snapshot.version, _set_of(snapshot))
        lacks_members = snapshot.joined is None and snapshot.count <= _MEMBERS_LIMIT
        presence.lacks_members = is_acknowledgement and lacks_members
    _proceed(machine, entity, presence)


def arrived(machine: Machine, frame: Frame) -> None:
    """Applies a change, or holds it."""
    entity = frame.get("entityId")
    presence = machine.presences.get(entity) if isinstance(entity, str) else None
    change = None if _polls_alone(machine) else _read(frame, "joined")
    if not isinstance(entity, str) or presence is None or presence.error is not None or change is None:
        return
    if presence.version is not None and change.version <= presence.version:
        return
    presence.held[change.version] = change
    _proceed(machine, entity, presence)


def failed(machine: Machine, entity: str, error: Failure) -> None:
    presence = machine.presences.get(entity)
    if not is_retryable(error):
        refuse(machine, entity, error)
    elif presence is not None and presence.is_behind:
        _ask_after(machine, entity, presence.back_off.next(machine.rules, machine.random()))


def refuse(machine: Machine, entity: str, error: Failure) -> None:
    """Goes on without presence, since the server refuses it."""
    presence = machine.presences.get(entity)
    if presence is None:
        return
    presence.error = error
    presence.forget_version()
    presence.set = None
    _proceed(machine, entity, presence)
    subscribing.recheck(machine, entity)


def may_be_refused_by(error: Failure) -> bool:
    """Returns `True` if a `subscribe` may succeed without presence."""
    return error.kind == "server" and error.code in ("forbidden", "bad_request")


def link_ended(machine: Machine) -> None:
    """Plans anew what a link that ended was asked for.

    Without another, every set is stale, and unknown if the client polls.
    """
    is_connected = _link_of(machine) is not None
    for entity, presence in machine.presences.items():
        if not is_connected:
            presence.forget_version()
        _watch(machine, entity, presence)
        if _polls_alone(machine):
            snapshot_arrived(machine, entity, None)


def _proceed(machine: Machine, entity: str, presence: PresenceOfEntity) -> None:
    presence.catch_up()
    if len(presence.held) > machine.rules.held_limit:
        del presence.held[min(presence.held)]
    if presence.told != presence.set:
        _tell(machine, entity, presence)
    _watch(machine, entity, presence)


def _tell(machine: Machine, entity: str, presence: PresenceOfEntity) -> None:
    """Tells the subscribers of an entity its set."""
    presence.told = presence.set
    told = presence.set if isinstance(presence.set, Presence) else None
    machine.perform(TellPresence(entity, told, presence.error))


def _watch(machine: Machine, entity: str, presence: PresenceOfEntity) -> None:
    """Asks for a snapshot after a random delay, so that the subscribers of one entity do not ask together.

    Ends the wait if nothing is missing.
    """
    timer = _timer_of(entity)
    if not presence.is_behind:
        machine.timers.cancel(timer)
    elif timer not in machine.timers and not _is_asked(machine, entity):
        _ask_after(machine, entity, rounded(machine.rules.presence_spread * machine.random()))


def _ask_after(machine: Machine, entity: str, delay: int) -> None:
    machine.timers.set(_timer_of(entity), machine.now + delay, lambda: _ask(machine, entity))


def _ask(machine: Machine, entity: str) -> None:
    """Asks for a snapshot, unless an answer is pending."""
    link = _link_of(machine)
    if link is not None and not _is_asked(machine, entity):
        body = encode({"action": "presence", "entityId": entity})
        requests.send_request(machine, link, PresenceRequest(entity), body)


def _is_asked(machine: Machine, entity: str) -> bool:
    return any(
        (isinstance(request, PresenceRequest) and request.entity == entity)
        or (isinstance(request, SubscribeRequest) and entity in request.entities)
        for link in machine.links
        for request in link.in_flight.values()
    )


def _link_of(machine: Machine) -> Link | None:
    """Returns the link whose server tells presence. `None` without a WebSocket."""
    return next((link for link in machine.links_in_use if not link.is_polling), None)


def _polls_alone(machine: Machine) -> bool:
    """Returns `True` if the client polls without a WebSocket beside it. One that lingers tells no later change."""
    return len(machine.links_in_use) > 0 and _link_of(machine) is None


def _timer_of(entity: str) -> str:
    return f"presence {entity}"


def presence_of(reply: Frame) -> Presence:
    """Returns the set of the reply to `presence`. It is empty if the entity has no presence."""
    snapshot = _read(object_of(reply.get("presence")) or {}, "members")
    return Presence(0, None) if snapshot is None else _set_of(snapshot)


def _set_of(snapshot: _Told) -> Presence:
    return Presence(snapshot.count, None if snapshot.joined is None else _by_id(snapshot.joined))


def _read(frame: Frame, present: Literal["joined", "members"]) -> _Told | None:
    """Reads a change, or a snapshot with its `members`. `None` if it has no version or no count.

    `present` is the field with the users that are there.
    """
    version, count = whole_number(frame.get("version")), whole_number(frame.get("count"))
    if version is None or count is None:
        return None
    listed, left = frame.get(present), frame.get("left")
    is_known = isinstance(listed, list) and (present == "members" or isinstance(left, list))
    leavers = frozenset(member.user_id for member in _members_of(left)) if is_known else frozenset()
    return _Told(version, count, _members_of(listed) if is_known else None, leavers)


def _members_of(field: object) -> list[Member]:
    """Returns the users of a list."""
    members = [_member_of(fields) for fields in objects_of(field)]
    return [member for member in members if member is not None]


def _member_of(fields: Frame) -> Member | None:
    user, connections = fields.get("userId"), whole_number(fields.get("connections"))
    if not isinstance(user, str):
        return None
    return Member(user, 1 if connections is None else connections, fields.get("info"))


def _by_id(members: Iterable[Member]) -> dict[str, Member]:
    """Returns users by their ids, in the order of these. The last of an id counts."""
    # Python compares texts by their code points, which is the order of their UTF-8.
    return {member.user_id: member for member in sorted(members, key=lambda member: member.user_id)}
