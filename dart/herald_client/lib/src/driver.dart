import 'dart:async';
import 'dart:collection';
import 'dart:math';

import 'clock.dart';
import 'machine/machine.dart';
import 'machine/rules.dart';
import 'machine/signals.dart';
import 'position.dart';
import 'push.dart';
import 'readers.dart';
import 'socket.dart';
import 'state.dart';
import 'token.dart';

/// The driver: it passes the time and the inputs to the machine, and performs its effects. It decides nothing.
final class Driver {
  /// [_pollUrl] ends with a slash.
  Driver(this._url, this._pollUrl, this._token, this.rules, this._connector, this.clock, this.random)
    : _machine = Machine(rules, random) {
    handle(const Connect());
  }

  final Uri _url;
  final Uri? _pollUrl;
  final TokenCallback? _token;
  final Rules rules;
  final HeraldConnector _connector;
  final Clock clock;
  final double Function() random;
  final Machine _machine;
  final Readers readers = Readers();
  ClientState state = const ClientConnecting();
  Transport transport = Transport.webSocket;
  late final ElapsedTime _time = ElapsedTime(clock);
  late final SleepWatch _sleep = SleepWatch(clock);
  final Map<int, HeraldSocket> _sockets = {};

  /// The HTTP requests of the links that poll.
  final Map<int, HeraldPoster> _posters = {};
  Timer? _wake;
  final Queue<Effect> _effects = Queue();
  bool _isPerforming = false;
  bool _isSuspended = false;
  int _requests = 0;

  /// The subscribers of this turn of the event loop, which become one input.
  final List<Subscriber> _subscribers = [];
  final Map<int, Completer<Resolve>> _waiting = {};

  /// The last failure, for the next state.
  Object? _cause;

  /// The number of messages that wait to be sent.
  int get waitingMessages => _machine.outbox.length;

  /// Makes a request, and waits for its reply.
  Future<Frame> request(Input Function(int request) input) async {
    final (:request, :reply) = _newRequest();
    handle(input(request));
    return (await reply).reply ?? const {};
  }

  /// Subscribes, and returns the number of the request. The acknowledgement has the position before the first message.
  ({int request, Future<Resolve> reply}) subscribe(
    String entity, {
    required bool presence,
    Position? recover,
    int? rewind,
  }) {
    final asked = _newRequest();
    _subscribers.add(Subscriber(asked.request, entity, recover: recover, rewind: rewind, presence: presence));
    if (_subscribers.length == 1) scheduleMicrotask(_flushSubscribers);
    return asked;
  }

  /// Removes a subscriber, whose request may still be pending.
  void unsubscribe(String entity, int request, {required bool presence}) {
    _waiting.remove(request);
    handle(Unsubscribe(entity, presence: presence));
  }

  Position? positionOf(String entity) => _machine.positionOf(entity);

  /// Closes the connection until [resume], without an attempt in between.
  void suspend() {
    if (_isSuspended) return;
    _isSuspended = true;
    handle(const Suspend());
  }

  void resume() {
    if (!_isSuspended) return;
    _isSuspended = false;
    handle(const NetworkUp());
  }

  /// Gives the machine a hint. A suspended client connects only after [resume].
  void hint(Input hint) {
    if (!_isSuspended) handle(hint);
  }

  ({int request, Future<Resolve> reply}) _newRequest() {
    final request = ++_requests;
    final completer = _waiting[request] = Completer();
    return (request: request, reply: completer.future);
  }

  /// Gives the machine the subscribers of this turn.
  void _flushSubscribers() {
    if (_subscribers.isEmpty) return;
    final subscribers = _subscribers.toList();
    _subscribers.clear();
    handle(Subscribe(subscribers));
  }

  /// Gives the machine an input, and performs the effects. A callback may call this: its effects come after those that
  /// are being performed.
  void handle(Input input) {
    _flushSubscribers();
    if (_sleep.hasSlept() && !_isSuspended) _give(const Foreground());
    _give(input);
    if (_isPerforming) return;
    _isPerforming = true;
    try {
      while (_effects.isNotEmpty) {
        _perform(_effects.removeFirst());
      }
    } finally {
      _isPerforming = false;
      _wakeInTime();
    }
  }

  void _give(Input input) => _effects.addAll(_machine.handle(_time.now, input));

  /// Sets the timer for the next wake-up, at most [lookEvery] from now, to notice a sleep of the device. A suspended
  /// client has nothing to notice, and lets the device rest.
  void _wakeInTime() {
    _wake?.cancel();
    final wakeAt = _machine.wakeAt;
    if (wakeAt == null) return;
    final delay = Duration(milliseconds: max(0, wakeAt - _time.now));
    final isSooner = _isSuspended || delay < lookEvery;
    _wake = clock.timer(isSooner ? delay : lookEvery, () => handle(const Wake()));
  }

  void _perform(Effect effect) {
    switch (effect) {
      case Announce(:final state):
        _enter(state);
      case AskToken(:final socket):
        unawaited(_askToken(socket));
      case OpenSocket(:final socket, :final token):
        _open(socket, token);
      case SendText(:final socket, :final text):
        _sockets[socket]?.send(text);
      case CloseSocket(:final socket):
        _sockets.remove(socket)?.close();
        _posters.remove(socket)?.close();
      case Post():
        unawaited(_post(effect));
      case ChangeTransport(:final transport):
        this.transport = transport;
        if (state is ClientOpen) _enter(const ClientOpen());
      case Resolve(:final request):
        _waiting.remove(request)?.complete(effect);
      case Reject(:final request, :final error):
        _waiting.remove(request)?.completeError(error);
      case Deliver(:final to, :final frame):
        readers.deliver(to, Push(frame));
      case TellLost(:final audience, :final position):
        readers.lose(audience, position);
      case TellRecovered(:final audience, :final messages):
        readers.recover(audience, messages);
      case TellPresence(:final entity, :final presence, :final error):
        readers.tellPresence(entity, presence, error);
      case Ended(:final entity, :final error):
        readers.end(entity, error);
    }
  }

  void _enter(ClientState next) {
    final wasReconnecting = state is ClientReconnecting;
    state = switch (next) {
      ClientReconnecting(:final attempt, :final delay) => ClientReconnecting(
        attempt: attempt,
        delay: delay,
        cause: _cause,
      ),
      ClientOpen() => ClientOpen(transport: transport),
      _ => next,
    };
    _cause = null;
    if (next is ClientOpen && wasReconnecting) readers.reload((entity) => positionOf(entity) != null);
    readers.announce(state);
  }

  Future<void> _askToken(int socket) async {
    try {
      final token = await _token?.call();
      handle(TokenSupplied(socket, token?.value, expiresIn: token?.leftAt(clock.wall)));
    } on Object catch (error) {
      _cause = error;
      handle(TokenFailed(socket));
    }
  }

  void _open(int socket, String? token) {
    try {
      final opening = _connector.open(_url, token);
      _sockets[socket] = opening;
      unawaited(_follow(socket, opening));
    } on Object catch (error) {
      // A connector throws only for invalid arguments. Transient failures come later.
      handle(Invalid(socket, '$error'));
    }
  }

  /// Sends a request by HTTP, and passes its answer to the machine.
  Future<void> _post(Post post) async {
    final Post(:socket, :request, :path, :token, :text) = post;
    final pollUrl = _pollUrl;
    if (pollUrl == null) return handle(PostAnswered(socket, request, null));
    final poster = _posters[socket] ??= _connector.poster();
    final HttpAnswer answer;
    try {
      answer = await poster.post(pollUrl.resolve(path), token, text);
    } on Object catch (error) {
      if (_posters[socket] != poster) return;
      _cause = error;
      return handle(PostAnswered(socket, request, null));
    }
    handle(PostAnswered(socket, request, answer.status, answer.text));
  }

  /// Passes the events of a socket to the machine, until the machine has closed it.
  Future<void> _follow(int socket, HeraldSocket opening) async {
    bool isAbandoned() => _sockets[socket] != opening;
    try {
      await opening.ready;
    } on Object catch (error) {
      if (isAbandoned()) return;
      _sockets.remove(socket);
      _cause = error;
      return handle(switch (error) {
        HandshakeRefused(:final status) => Refused(socket, status),
        HandshakeInvalid(:final reason) => Invalid(socket, reason),
        _ => Failed(socket),
      });
    }
    if (isAbandoned()) return;
    handle(Opened(socket));
    opening.texts.listen(
      (text) {
        if (!isAbandoned()) handle(Received(socket, text));
      },
      onDone: () {
        if (isAbandoned()) return;
        _sockets.remove(socket);
        _cause = opening.ending;
        handle(Closed(socket, closeFrame: opening.hadCloseFrame));
      },
    );
  }
}
