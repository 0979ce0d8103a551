"""The driver: it passes the time and the inputs to the machine, and performs its effects. It decides nothing."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from ._callbacks import outcome_of
from ._clock import LOOK_EVERY, Clock, SleepWatch
from ._machine import Machine
from ._machine.failure import STOPPED
from ._machine.signals import (
    AskToken,
    Close,
    Closed,
    CloseSocket,
    Connect,
    Deliver,
    Effect,
    End,
    Failed,
    Hinted,
    Input,
    Invalid,
    Lose,
    Opened,
    OpenSocket,
    Post,
    PostAnswered,
    Received,
    Recover,
    Refused,
    Reject,
    Resolve,
    SendText,
    StateChanged,
    StopReason,
    Subscribe,
    TellPresence,
    Time,
    TokenFailed,
    TokenSupplied,
    Transport,
    TransportChanged,
    Unsubscribe,
)
from ._machine.signals import Subscriber as WaitingSubscriber
from ._poster import Poster
from ._readers import Readers
from ._socket import Socket, SocketEvents
from ._subscriber import Subscriber
from .errors import error_of
from .options import Options, milliseconds, rules_of
from .position import Position
from .state import State
from .token import TokenAnswer, TokenCallback, read_token, unusable


class Driver:
    """One client's machine with its sockets and its clock, in one event loop."""

    def __init__(self, url: str, token: TokenCallback | None, options: Options) -> None:
        """Starts to connect."""
        self.loop = asyncio.get_running_loop()
        self.options = options
        self.rules = rules_of(options, token is not None)
        self.readers = Readers()
        self.state = State("connecting")
        self.transport: Transport = "websocket"
        self.stopped = asyncio.Event()
        self._url = url
        self._token = token
        self._machine = Machine(self.rules, random.random)
        self._clock = Clock()
        self._sleep = SleepWatch()
        self._sockets: dict[int, Socket] = {}
        self._token_tasks: dict[int, asyncio.Task[None]] = {}
        # The requests by HTTP, by their sockets.
        self._posts: dict[int, set[asyncio.Task[None]]] = {}
        self._poster = None if options.poll_url is None else Poster(options.poll_url, options)
        self._tasks: set[asyncio.Future[Any]] = set()
        self._wake: asyncio.TimerHandle | None = None
        self._effects: deque[Effect] = deque()
        self._is_performing = False
        self._requests = 0
        # The subscribers of this turn of the event loop, which become one input.
        self._subscribers: list[WaitingSubscriber] = []
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        # The last failure, for the next state.
        self._cause: BaseException | None = None
        self.handle(Connect())

    async def request(self, make: Callable[[int], Input]) -> Any:
        """Makes a request, and waits for its reply. A request whose wait is cancelled goes on."""
        request, future = self._new_request()
        self.handle(make(request))
        return await self._outcome(request, future)

    async def subscribe(
        self, entity: str, subscriber: Subscriber, recover: Position | None, rewind: int | None
    ) -> Position | None:
        """Subscribes, and waits for the acknowledgement. Returns the position. A cancelled wait unsubscribes."""
        request, future = self._new_request()
        waiting = WaitingSubscriber(request, entity, recover, rewind, subscriber.presence is not None)
        subscriber.acknowledgement = future
        self._subscribers.append(waiting)
        if len(self._subscribers) == 1:
            self.loop.call_soon(self._flush_subscribers)
        try:
            position: Position | None = await self._outcome(request, future)
        except asyncio.CancelledError:
            self._withdraw(waiting, future, subscriber)
            raise
        return position

    def _withdraw(self, waiting: WaitingSubscriber, future: asyncio.Future[Any], subscriber: Subscriber) -> None:
        if waiting in self._subscribers:
            self._subscribers.remove(waiting)
            return
        was_rejected = future.done() and not future.cancelled() and future.exception() is not None
        if self.readers.unsubscribe(waiting.entity, subscriber) and not was_rejected:
            self.handle(Unsubscribe(waiting.entity, waiting.presence))

    def leave(self, entity: str, subscriber: Subscriber) -> None:
        """Ends a subscription, and the wait for its acknowledgement."""
        acknowledgement = subscriber.acknowledgement
        # The machine does not know a subscription whose state is being loaded.
        if not self.readers.unsubscribe(entity, subscriber) or acknowledgement is None:
            return
        self.handle(Unsubscribe(entity, subscriber.presence is not None))
        if not acknowledgement.done():
            acknowledgement.set_result(subscriber.mailbox.position)

    def position_of(self, entity: str) -> Position | None:
        return self._machine.position_of(entity)

    async def close(self, within: float) -> None:
        """Closes the client, and waits until nothing of it runs. A cancelled call stops it at once."""
        try:
            self.handle(Close(milliseconds(within)))
            await self.stopped.wait()
            await self._end_of_tasks()
        except asyncio.CancelledError:
            self.handle(Close(0))
            for task in self._other_tasks():
                task.cancel()
            await self._end_of_tasks()
            raise

    async def _end_of_tasks(self) -> None:
        while tasks := self._other_tasks():
            await asyncio.wait(tasks)

    def _other_tasks(self) -> set[asyncio.Future[Any]]:
        # A callback of the application may close the client.
        current = asyncio.current_task()
        return {task for task in self._tasks if task is not current}

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs a task that ends with the client."""
        task = self.loop.create_task(work, name="herald state loader")
        self._keep(task)
        return task

    def _keep(self, task: asyncio.Future[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _new_request(self) -> tuple[int, asyncio.Future[Any]]:
        self._requests += 1
        future: asyncio.Future[Any] = self.loop.create_future()
        self._waiting[self._requests] = future
        return self._requests, future

    async def _outcome(self, request: int, future: asyncio.Future[Any]) -> Any:
        try:
            return await future
        finally:
            self._waiting.pop(request, None)

    def _flush_subscribers(self) -> None:
        """Gives the machine the subscribers of this turn."""
        if self._subscribers:
            self.handle(Subscribe(self._take_subscribers()))

    def _take_subscribers(self) -> tuple[WaitingSubscriber, ...]:
        taken, self._subscribers = tuple(self._subscribers), []
        return taken

    def handle(self, given: Input) -> None:
        """Gives the machine an input, and performs the effects."""
        if self._subscribers:
            self._give(Subscribe(self._take_subscribers()))
        if self._sleep.has_slept():
            self._give(Hinted("foreground"))
        self._give(given)
        if self._is_performing:
            return
        self._is_performing = True
        try:
            while self._effects:
                self._perform(self._effects.popleft())
        except Exception as error:
            self._fail(error)
        finally:
            self._is_performing = False
            self._wake_in_time()

    def _give(self, given: Input) -> None:
        try:
            self._effects.extend(self._machine.handle(self._clock.now(), given))
        except Exception as error:
            self._fail(error)

    def _wake_in_time(self) -> None:
        """Sets the timer for the next wake-up, in time to notice a sleep of the computer."""
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        wake_at = self._machine.wake_at
        if wake_at is None or self.stopped.is_set():
            return
        delay = max(0, wake_at - self._clock.now()) / 1000
        self._wake = self.loop.call_later(min(delay, LOOK_EVERY), self._time_passed)

    def _time_passed(self) -> None:
        self.handle(Time())

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Deliver(to, frame):
                self.readers.deliver(to, frame)
            case SendText(socket, text):
                if socket in self._sockets:
                    self._sockets[socket].send(text)
            case Resolve(request, reply, position):
                self._settle(request, position if reply is None else reply)
            case Reject(request, failure):
                future = self._waiting.get(request)
                if future is not None and not future.done():
                    future.set_exception(error_of(failure, self._reason_to_stop()))
            case StateChanged():
                self._enter(effect)
            case AskToken(socket):
                former = self._token_tasks.pop(socket, None)
                if former is not None:
                    # It did not answer in time.
                    former.cancel()
                task = self.loop.create_task(self._ask_token(socket), name="herald token callback")
                self._token_tasks[socket] = task
                self._keep(task)
            case OpenSocket(socket, token):
                self._open(socket, token)
            case Post():
                self._post(effect)
            case CloseSocket(socket):
                self._close_socket(socket)
            case TransportChanged(transport):
                self._change_transport(transport)
            case Lose(audience, position):
                self.readers.lose(audience, position)
            case Recover(audience, messages):
                self.readers.recover(audience, messages)
            case TellPresence(entity, presence, refusal):
                self.readers.tell_presence(entity, presence, refusal)
            case End(entity, failure):
                self.readers.end(entity, failure)

    def _reason_to_stop(self) -> StopReason | None:
        """Returns the reason of a stop, which is announced after the failures that it causes."""
        announced = (effect.reason for effect in self._effects if isinstance(effect, StateChanged))
        return self.state.reason or next(announced, None)

    def _settle(self, request: int, result: Any) -> None:
        future = self._waiting.get(request)
        if future is not None and not future.done():
            future.set_result(result)

    def _enter(self, changed: StateChanged) -> None:
        was_reconnecting = self.state.name == "reconnecting"
        delay = None if changed.delay is None else changed.delay / 1000
        cause = self._cause if changed.name == "reconnecting" else None
        transport = self.transport if changed.name == "open" else None
        self.state = State(changed.name, changed.attempt, delay, cause, changed.reason, transport)
        self._cause = None
        self.readers.enter(self.state)
        if changed.name == "open" and was_reconnecting:
            self.readers.reload(lambda entity: self.position_of(entity) is not None)
        if changed.reason is not None:
            self._stop(changed.reason)

    def _change_transport(self, transport: Transport) -> None:
        self.transport = transport
        if self.state.name == "open":
            self._enter(StateChanged("open"))

    def _stop(self, reason: StopReason) -> None:
        for socket in list(self._token_tasks):
            self._token_tasks.pop(socket).cancel()
        self.readers.stop(reason)
        self.stopped.set()
        if self._poster is not None:
            self._poster.close()

    def _fail(self, error: Exception) -> None:
        """Ends the client after a defect of its own, so that nothing waits for it."""
        message = "a defect of the Herald client ended it"
        self.loop.call_exception_handler({"message": message, "exception": error})
        self._effects.clear()
        for socket in {*self._sockets, *self._posts}:
            self._close_socket(socket)
        if self.stopped.is_set():
            return
        self._machine.state = "stopped"
        self._machine.timers.clear()
        reason = StopReason("failed", reason=repr(error))
        self._enter(StateChanged("stopped", reason=reason))
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error_of(STOPPED, reason))

    async def _ask_token(self, socket: int) -> None:
        given: Input
        try:
            token, expires_in = read_token(await self._answer_of_callback())
            given = TokenSupplied(socket, token, expires_in)
        except asyncio.CancelledError:
            if self._token_tasks.get(socket) is asyncio.current_task():
                # The event loop ends its tasks.
                self.handle(Close(0))
            raise
        except Exception as error:
            self._cause = error
            given = TokenFailed(socket)
        del self._token_tasks[socket]
        self.handle(given)

    async def _answer_of_callback(self) -> TokenAnswer:
        answer = None if self._token is None else self._token()
        if not inspect.isawaitable(answer):
            return answer
        call: asyncio.Future[TokenAnswer] = asyncio.ensure_future(answer)
        self._keep(call)
        return await outcome_of(call)

    def _open(self, socket: int, token: str | None) -> None:
        problem = None if token is None else unusable(token, self.options.token_in)
        if problem is not None:
            self.handle(Invalid(socket, problem))
            return
        events = SocketEvents(
            opened=lambda: self.handle(Opened(socket)),
            received=lambda text: self.handle(Received(socket, text)),
            refused=lambda status, error: self._ended(socket, Refused(socket, status), error),
            failed=lambda error: self._ended(socket, Failed(socket), error),
            invalid=lambda reason: self._ended(socket, Invalid(socket, reason), None),
            closed=lambda error: self._ended(socket, Closed(socket, error.rcvd is not None), error),
            cancelled=lambda: self.handle(Close(0)),
        )
        self._sockets[socket] = Socket(self._url, token, self.options, events)
        self._keep(self._sockets[socket].task)

    def _post(self, post: Post) -> None:
        problem = None if post.token is None else unusable(post.token, "header")
        if problem is not None:
            self.handle(Invalid(post.socket, problem))
            return
        task = self.loop.create_task(self._answer_to(post), name="herald poll")
        posts = self._posts.setdefault(post.socket, set())
        posts.add(task)
        task.add_done_callback(posts.discard)
        self._keep(task)

    async def _answer_to(self, post: Post) -> None:
        assert self._poster is not None
        try:
            status, text = await self._poster.post(post.path, post.token, post.text)
            given = PostAnswered(post.socket, post.request, status, text)
        except asyncio.CancelledError:
            if post.socket in self._posts:
                # The event loop ends its tasks.
                self.handle(Close(0))
            raise
        except Exception as error:
            self._cause = error
            given = PostAnswered(post.socket, post.request, None)
        self.handle(given)

    def _ended(self, socket: int, given: Input, cause: BaseException | None) -> None:
        self._sockets.pop(socket, None)
        self._cause = cause
        self.handle(given)

    def _close_socket(self, socket: int) -> None:
        task = self._token_tasks.pop(socket, None)
        if task is not None:
            task.cancel()
        posts = self._posts.pop(socket, None)
        if posts is not None and self._poster is not None:
            for post in posts:
                post.cancel()
            self._poster.release()
        opened = self._sockets.pop(socket, None)
        if opened is not None:
            opened.close()
