import 'dart:async';
import 'dart:math';

import 'clock.dart';
import 'connector.dart';
import 'driver.dart';
import 'error.dart';
import 'machine/presence_frame.dart';
import 'machine/rules.dart';
import 'machine/signals.dart' hide Subscriber;
import 'options.dart';
import 'position.dart';
import 'presence.dart';
import 'push.dart';
import 'socket.dart';
import 'state.dart';
import 'state_loader.dart';
import 'subscription.dart';
import 'token.dart';

/// A client of Herald: one connection, which it keeps, recovers and renews.
///
/// An application has one client, however many parts of it use the client.
final class HeraldClient {
  /// Starts a client, which keeps trying until it is connected.
  ///
  /// [url] is the address of the WebSocket API, `wss://…`. [connector], [clock] and [random] are for tests and unusual
  /// platforms. Throws an [ArgumentError] if the address, or `pollUrl`, has the wrong form, or `buffer` is less than 1.
  factory HeraldClient(
    Uri url, {
    TokenCallback? token,
    HeraldOptions options = const HeraldOptions(),
    HeraldConnector? connector,
    Clock? clock,
    double Function()? random,
  }) {
    if (!(url.isScheme('wss') || url.isScheme('ws')) || url.host.isEmpty || url.hasFragment) {
      throw ArgumentError.value('$url', 'url', 'must be an absolute wss:// or ws:// address without a fragment');
    }
    if (options.buffer < 1) throw ArgumentError.value(options.buffer, 'buffer', 'must be at least 1');
    final pollUrl = _pollUrlOf(options);
    final used = connector ?? platformConnector();
    final spacing = options.refusalSpacing ?? used.refusalSpacing;
    final rules = Rules(options, token: token != null, refusalSpacing: spacing.inMilliseconds);
    final driver = Driver(url, pollUrl, token, rules, used, clock ?? SystemClock(), random ?? Random().nextDouble);
    return HeraldClient._(driver, options.buffer);
  }

  /// Returns the address that the paths of the function `poll` are relative to. `null` if there is none.
  static Uri? _pollUrlOf(HeraldOptions options) {
    final url = options.pollUrl;
    if (url == null) return null;
    if (!(url.isScheme('https') || url.isScheme('http')) || url.host.isEmpty) {
      throw ArgumentError.value('$url', 'pollUrl', 'must be an absolute https:// or http:// address');
    }
    return url.path.endsWith('/') ? url : url.replace(path: '${url.path}/');
  }

  HeraldClient._(this._driver, this._buffer);

  final Driver _driver;
  final int _buffer;

  ClientState get state => _driver.state;

  /// The transport of the connection, or of the last one: [Transport.poll] while the network admits no WebSocket.
  Transport get transport => _driver.transport;

  /// The states. Each listener gets the present one first.
  Stream<ClientState> get states => _driver.readers.states(() => state);

  /// Subscribes to an entity, and waits until the server has acknowledged it.
  ///
  /// [recover] starts from a saved position, [rewind] with the last messages (1–300, permission `history`), and
  /// [loadState] with a state that the application loads. [presence] asks for the users at the entity, too (permission
  /// `presence`). Throws the server's [HeraldError], and what [loadState] throws.
  Future<Subscription> subscribe(
    String entityId, {
    Position? recover,
    int? rewind,
    LoadState? loadState,
    bool presence = false,
  }) => _subscribe(
    _newSubscription(entityId, presence: presence),
    recover: recover,
    rewind: rewind,
    loadState: loadState,
  );

  /// The messages of an entity, as a stream that subscribes when it is listened to and unsubscribes when that is
  /// cancelled, before the acknowledgement, too. The server's [HeraldError] is its error.
  Stream<Push> pushesOf(String entityId, {Position? recover, int? rewind, LoadState? loadState}) => Stream.multi((
    controller,
  ) {
    final subscription = _newSubscription(entityId);
    final listener = subscription.pushes.listen(controller.add, onError: controller.addError, onDone: controller.close);
    controller
      ..onPause = listener.pause
      ..onResume = listener.resume
      ..onCancel = listener.cancel;
    // The stream has the error, too.
    _subscribe(subscription, recover: recover, rewind: rewind, loadState: loadState).ignore();
  });

  /// Every push that is delivered, whatever its audience.
  Stream<Push> get pushes => _driver.readers.pushes;

  /// The pushes to the user of this connection.
  Stream<Push> get notifications =>
      _driver.readers.notifications(() => _driver.handle(const Follow(Route.notifications)));

  /// The pushes to everyone.
  Stream<Push> get broadcasts => _driver.readers.broadcasts(() => _driver.handle(const Follow(Route.broadcasts)));

  /// The pushes of a type, whatever their audience.
  Stream<Push> ofType(String type) => pushes.where((push) => push.type == type);

  /// The messages of any audience that may be lost, each loss before the next message of that audience.
  Stream<Lost> get losses => _driver.readers.losses;

  /// Sends a message to the subscribers of an entity, to everyone, or, without a target, back to this client.
  ///
  /// The message waits in the outbox while there is no connection. [safeToRepeat] sends it again if the connection
  /// breaks before its reply. Throws a [HeraldError].
  Future<Acknowledgement> send(
    Object? message, {
    String? entityId,
    bool broadcast = false,
    String? name,
    bool safeToRepeat = false,
    Duration? timeToLive,
  }) async {
    final reply = await request(
      {
        'action': 'sendMessage',
        if (entityId != null) 'entityId': entityId,
        if (broadcast) 'broadcast': true,
        'message': message,
        if (name != null) 'name': name,
      },
      safeToRepeat: safeToRepeat,
      timeToLive: timeToLive,
    );
    return Acknowledgement(reply);
  }

  /// Sends any request, and waits for its reply. [frame] has an `action` and no `id`. Throws a [HeraldError].
  Future<Map<String, Object?>> request(Map<String, Object?> frame, {bool safeToRepeat = false, Duration? timeToLive}) =>
      _driver.request(
        (request) => Send(request, frame, safeToRepeat: safeToRepeat, timeToLive: timeToLive?.inMilliseconds),
      );

  /// Reads messages of a log (permission `history`). Throws a [HeraldError].
  Future<History> history(HistoryOf of, HistorySelection selection) async =>
      History(await request({'action': 'history', ...of.toJson(), ...selection.toJson()}, safeToRepeat: true));

  /// Reads the users at an entity, once and without a subscription (permission `presence`). Throws a [HeraldError].
  Future<Presence> presence(String entityId) async {
    final reply = await request({'action': 'presence', 'entityId': entityId}, safeToRepeat: true);
    final snapshot = snapshotOf(reply['presence']);
    return snapshot == null ? const Presence(0, null) : presenceOf(snapshot);
  }

  /// The number of messages in the outbox, which wait to be sent.
  int get waitingMessages => _driver.waitingMessages;

  /// Hints that the network is up: the client connects, or checks its connection, at once.
  void networkUp() => _driver.hint(const NetworkUp());

  /// Hints that the network is down: the client ends its connection and waits.
  void networkDown() => _driver.hint(const NetworkDown());

  /// Hints that the application is in the foreground: the client connects, or checks its connection, at once.
  void foreground() => _driver.hint(const Foreground());

  /// Closes the connection until [resume], to save the battery. Subscriptions and the outbox stay, and the client
  /// recovers what it missed.
  void suspend() => _driver.suspend();

  /// Connects again after [suspend].
  void resume() => _driver.resume();

  /// Closes the client: it sends waiting messages, waits for the replies, at most [within], and stops.
  Future<void> close({Duration within = const Duration(seconds: 5)}) async {
    final stopped = states.firstWhere((state) => state is ClientStopped);
    _driver.handle(Close(within.inMilliseconds));
    await stopped;
  }

  Subscription _newSubscription(String entityId, {bool presence = false}) {
    late final Subscription subscription;
    return subscription = Subscription(
      entityId,
      buffer: _buffer,
      asksForPresence: presence,
      positionOf: () => _driver.positionOf(entityId),
      leave: () => _leave(subscription),
    );
  }

  void _leave(Subscription subscription) {
    final request = subscription.request;
    final isMember = _driver.readers.unsubscribe(subscription);
    if (!isMember || request == null) return;
    _driver.unsubscribe(subscription.entityId, request, presence: subscription.asksForPresence);
  }

  Future<Subscription> _subscribe(
    Subscription subscription, {
    Position? recover,
    int? rewind,
    LoadState? loadState,
  }) async {
    final loader = _loaderOf(subscription, loadState);
    final readers = _driver.readers..subscribe(subscription);
    try {
      if (recover != null && rewind != null) throw ArgumentError('recover and rewind exclude each other: pass one');
      final loaded = await loader?.loadFirst(_driver.positionOf(subscription.entityId));
      if (subscription.hasEnded) return subscription;
      final entityId = subscription.entityId;
      final (:request, :reply) = _driver.subscribe(
        entityId,
        presence: subscription.asksForPresence,
        recover: loaded ?? recover,
        rewind: rewind,
      );
      subscription.request = request;
      subscription.startAt((await reply).position);
    } on Object catch (error) {
      readers.unsubscribe(subscription);
      subscription.endWith(error);
      rethrow;
    }
    try {
      await loader?.subscribed();
    } on Object {
      subscription.cancel();
      rethrow;
    }
    return subscription;
  }

  StateLoader? _loaderOf(Subscription subscription, LoadState? loadState) {
    if (loadState == null) return null;
    void deliver(Push push) => subscription.add(PushEvent(push));
    return subscription.loader = StateLoader(loadState, deliver, _driver.rules, _driver.clock, _driver.random);
  }
}
