import '../error.dart';
import '../position.dart';
import '../state.dart';
import 'back_off.dart';
import 'connecting.dart' as connecting;
import 'link.dart';
import 'log.dart';
import 'logs.dart';
import 'outbox.dart';
import 'polling.dart';
import 'presence_of_entity.dart';
import 'pushes.dart';
import 'repeats.dart';
import 'requests.dart';
import 'rules.dart';
import 'signals.dart';
import 'subscribing.dart';
import 'subscriptions.dart';
import 'syncing.dart';
import 'timers.dart';
import 'transports.dart';

/// The rules of docs/clients.md as a state machine. It receives inputs with their time and returns effects; it owns no
/// socket and no clock.
///
/// The files beside this one have the names of the other clients', and all machines run the same cases. The fields are
/// for those files.
final class Machine {
  /// [random] returns at least 0 and less than 1.
  Machine(this.rules, this.random) : repeats = Repeats(rules.repeatWindow);

  final Rules rules;
  final double Function() random;
  int now = 0;
  final Timers timers = Timers();
  ClientState state = const ClientConnecting();
  bool isClosing = false;
  bool networkIsDown = false;

  /// The number of the last socket.
  int sockets = 0;

  /// The number of the last request.
  int requests = 0;

  /// The link that requests are sent on, or the attempt to open one.
  Link? current;

  /// The link that will become the current one.
  Link? next;

  /// Former current links, kept for late replies and pushes.
  List<Link> lingering = [];
  final BackOff backOff = BackOff();

  /// The number of attempts since a connection was open, or since the start. Omits the very first one.
  int retries = 0;
  int refusals = 0;

  /// The time of the last refusal without a status that counted.
  int? lastGuess;

  /// The transport that was announced.
  Transport transport = Transport.webSocket;

  /// The handshakes in a row that failed without a status.
  int blocked = 0;

  /// The time at which the first attempt of that row started.
  int blockedSince = 0;

  /// The time from then to the last failure of the row.
  int blockedFor = 0;

  /// The connections in a row that ended soon after they opened, without a close frame.
  int killed = 0;

  /// True if the last attempt was to poll, and failed.
  bool pollFailed = false;
  final Subscriptions subscriptions = Subscriptions();
  late final Outbox outbox = Outbox(timers, (message) => reject(message.request, const ExpiredError()));

  /// True while messages wait because the server throttled one, or the answer to one that was posted is missing.
  bool outboxIsPaused = false;
  final BackOff throttling = BackOff();
  final Repeats repeats;

  /// The messages held back, by the socket that they arrived on.
  final Map<int, List<HeldMessage>> held = {};
  final List<HeldAnswer> heldAnswers = [];
  final Logs logs = Logs();

  /// The presence of the entities for which a subscriber asks for it.
  final Map<String, PresenceOfEntity> presences = {};

  /// The logs to ask for missing messages, with the times.
  final Map<Log, int> gaps = {};

  /// The logs whose position is to be compared at once.
  final Set<Log> toSync = {};

  /// The logs that are to be read on at once.
  final Set<Log> toRead = {};
  List<Effect> _effects = [];

  /// The latest time for the next input. `null` if the machine waits for nothing.
  int? get wakeAt => timers.next;

  /// Fires the timers that are due, and then handles the input. [now] is in milliseconds from any start, and never less
  /// than before.
  List<Effect> handle(int now, Input input) {
    this.now = now;
    _fireDue();
    _apply(input);
    _settle();
    // A delay may be 0.
    _fireDue();
    final effects = _effects;
    _effects = [];
    return effects;
  }

  void _fireDue() {
    for (var run = timers.takeDue(now); run != null; run = timers.takeDue(now)) {
      run();
      _settle();
    }
  }

  void _apply(Input input) {
    switch (input) {
      case SocketInput():
        final link = links.where((link) => link.socket == input.socket).firstOrNull;
        if (link != null) _applyTo(link, input);
      case Connect():
        connecting.connect(this);
      case Subscribe(:final subscribers):
        for (final subscriber in subscribers) {
          subscribe(this, subscriber);
        }
      case Unsubscribe():
        unsubscribe(this, input);
      case Follow(:final to):
        follow(this, to);
      case Send():
        send(this, input);
      case NetworkUp():
        connecting.networkUp(this);
      case NetworkDown():
        connecting.networkDown(this);
      case Suspend():
        connecting.suspend(this);
      case Foreground():
        connecting.foreground(this);
      case Close(:final within):
        connecting.close(this, within);
      case Wake():
    }
  }

  void _applyTo(Link link, SocketInput input) {
    switch (input) {
      case TokenSupplied(:final token, :final expiresIn):
        connecting.tokenSupplied(this, link, token, expiresIn);
      case TokenFailed():
        connecting.tokenFailed(this, link);
      case Opened():
        connecting.opened(this, link);
      case Refused(:final status):
        connecting.refused(this, link, status);
      case Failed():
        connecting.attemptFailed(this, link);
      case Closed(:final closeFrame):
        connecting.closed(this, link, closeFrame: closeFrame);
      case PostAnswered():
        postAnswered(this, link, input);
      case Invalid(:final reason):
        connecting.invalid(this, link, reason);
      case Received(:final text):
        received(this, link, text);
    }
  }

  /// Performs what follows from the last input or timer.
  void _settle() {
    if (hasStopped) return;
    applyReleased(this);
    sendPending(this);
    connecting.handOverIfEstablished(this);
    connecting.closeLingering(this);
    announceTransport(this);
    connecting.announceOpenIfEstablished(this);
    deliverReleased(this);
    connecting.stopIfClosed(this);
  }

  /// Returns the position in the log of an entity. `null` if it has none.
  Position? positionOf(String entity) => logs.at(Route.entity, entity)?.position;

  bool get hasStopped => state is ClientStopped;

  /// True if the client accepts no new requests.
  bool get refusesRequests => isClosing || hasStopped;

  /// All links, in the order of their sockets.
  List<Link> get links => [...lingering, ..._newest];

  /// The links that requests go to.
  List<Link> get linksInUse => _newest.where((link) => link.isOpen).toList();

  List<Link> get _newest => [current, next].nonNulls.toList();

  /// True if messages of the application wait to be sent, or for their replies.
  bool get hasUnansweredMessages => outbox.length > 0 || links.any((link) => link.oldestSend < never);

  void perform(Effect effect) => _effects.add(effect);

  void reject(int request, HeraldError error) => perform(Reject(request, error));

  void announce(ClientState state) {
    this.state = state;
    perform(Announce(state));
  }
}
