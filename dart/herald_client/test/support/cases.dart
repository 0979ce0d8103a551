/// The cases that every client runs, `client/tests/behaviour/*.json`. Their README.md describes the format.
library;

import 'dart:convert';
import 'dart:io';

import 'package:herald_client/src/error.dart';
import 'package:herald_client/src/machine/log.dart';
import 'package:herald_client/src/machine/machine.dart';
import 'package:herald_client/src/machine/rules.dart';
import 'package:herald_client/src/machine/signals.dart';
import 'package:herald_client/src/options.dart';
import 'package:herald_client/src/position.dart';
import 'package:herald_client/src/presence.dart';
import 'package:herald_client/src/state.dart';

/// A case that does not hold.
final class CaseFailure implements Exception {
  const CaseFailure(this.message);

  final String message;

  @override
  String toString() => message;
}

/// One case of a file.
final class Case {
  const Case(this.file, this.name, this._options, this._steps);

  final String file;
  final String name;
  final Map<String, Object?> _options;
  final List<Map<String, Object?>> _steps;

  /// Runs the case. Throws a [CaseFailure] if it does not hold.
  void run() {
    var random = _jitterOf(_options) ?? 0.5;
    final machine = Machine(_rulesOf(_options), () => random);
    final format = _CaseFormat();
    for (final (index, step) in _steps.indexed) {
      final at = step['at']! as int;
      final where = 'step ${index + 1}, at $at';
      random = _jitterOf(step) ?? random;
      final expected = step['effects'] as List<Object?>? ?? const [];
      final input = _inputOf(step);
      final wakeAt = machine.wakeAt;
      if (input is Wake && expected.isNotEmpty && (wakeAt == null || wakeAt > at)) {
        throw CaseFailure('$where: wakeAt is $wakeAt');
      }
      final effects = [
        for (final effect in machine.handle(at, input))
          if (effect is! TellRecovered) jsonDecode(jsonEncode(format.of(effect))),
      ];
      if (!_isEqual(effects, expected)) {
        throw CaseFailure('$where: expected ${jsonEncode(expected)}, got ${jsonEncode(effects)}');
      }
      final next = machine.wakeAt;
      if (next != null && next <= at) throw CaseFailure('$where: wakeAt is $next');
    }
  }
}

/// Reads the cases of a folder.
List<Case> casesIn(Directory folder) {
  final files =
      folder.listSync().whereType<File>().where(_hasCases).toList()
        ..sort((one, other) => one.path.compareTo(other.path));
  return [
    for (final file in files)
      for (final entry in (_object(jsonDecode(file.readAsStringSync()))['cases']! as List<Object?>).map(_object))
        Case(
          file.uri.pathSegments.last,
          entry['name']! as String,
          entry['options'] == null ? const {} : _object(entry['options']),
          (entry['steps']! as List<Object?>).map(_object).toList(),
        ),
  ];
}

bool _hasCases(File file) => file.path.endsWith('.json');

/// Returns the options of a case, in which a number is a time in milliseconds or a count.
HeraldOptions optionsOf(Map<String, Object?> options) {
  const unset = HeraldOptions();
  Duration time(String name, Duration fallback) {
    final value = options[name] as int?;
    return value == null ? fallback : Duration(milliseconds: value);
  }

  int count(String name, int fallback) => options[name] as int? ?? fallback;

  const known = {
    'token', 'poll', 'jitter', 'connectTimeout', 'backoffBase', 'backoffCap', 'stableAfter', 'refusalLimit', //
    'refusalSpacing', 'offlineRetry', 'unansweredAfter', 'pingAfter', 'pongTimeout', 'replyTimeout', 'inFlightLimit',
    'outboxLimit', 'outboxFull', 'timeToLive', 'messageLimit', 'repeatWindow', 'renewAfter', 'lingerFor',
    'renewTokenBefore', 'gapAfter', 'gapSpread', 'heldLimit', 'heldWhileAsking', 'presenceSpread',
    'obstacleLimit', 'obstacleAfter', 'killedWithin', 'webSocketRetry',
  };
  final unknown = options.keys.toSet().difference(known);
  if (unknown.isNotEmpty) throw CaseFailure('unknown options: $unknown');
  return HeraldOptions(
    pollUrl: options['poll'] == true ? Uri.https('example.com', '/') : null,
    // The default of the cases, which have no other with `poll`.
    connectTimeout: time('connectTimeout', const Duration(seconds: 45)),
    backoffBase: time('backoffBase', unset.backoffBase),
    backoffCap: time('backoffCap', unset.backoffCap),
    stableAfter: time('stableAfter', unset.stableAfter),
    refusalLimit: count('refusalLimit', unset.refusalLimit),
    offlineRetry: time('offlineRetry', unset.offlineRetry),
    unansweredAfter: time('unansweredAfter', unset.unansweredAfter),
    pingAfter: time('pingAfter', unset.pingAfter),
    pongTimeout: time('pongTimeout', unset.pongTimeout),
    replyTimeout: time('replyTimeout', unset.replyTimeout),
    inFlightLimit: count('inFlightLimit', unset.inFlightLimit),
    outboxLimit: count('outboxLimit', unset.outboxLimit),
    outboxFull: OutboxFull.values.byName(options['outboxFull'] as String? ?? unset.outboxFull.name),
    timeToLive: time('timeToLive', unset.timeToLive),
    // The default of the cases, which is that of the Rust client.
    messageLimit: count('messageLimit', 128 * 1024),
    repeatWindow: count('repeatWindow', unset.repeatWindow),
    renewAfter: time('renewAfter', unset.renewAfter),
    lingerFor: time('lingerFor', unset.lingerFor),
    renewTokenBefore: time('renewTokenBefore', unset.renewTokenBefore),
    gapAfter: time('gapAfter', unset.gapAfter),
    gapSpread: time('gapSpread', unset.gapSpread),
    heldLimit: count('heldLimit', unset.heldLimit),
    heldWhileAsking: count('heldWhileAsking', unset.heldWhileAsking),
    presenceSpread: time('presenceSpread', unset.presenceSpread),
    obstacleLimit: count('obstacleLimit', unset.obstacleLimit),
    obstacleAfter: time('obstacleAfter', unset.obstacleAfter),
    killedWithin: time('killedWithin', unset.killedWithin),
    webSocketRetry: time('webSocketRetry', unset.webSocketRetry),
  );
}

Rules _rulesOf(Map<String, Object?> options) =>
    Rules(optionsOf(options), token: options['token'] == true, refusalSpacing: options['refusalSpacing'] as int? ?? 0);

double? _jitterOf(Map<String, Object?> from) => (from['jitter'] as num?)?.toDouble();

Input _inputOf(Map<String, Object?> step) {
  final inputs = {...step}..removeWhere((name, _) => const {'at', 'effects', 'jitter'}.contains(name));
  if (inputs.length != 1) throw CaseFailure('a step has one input, not $inputs');
  final MapEntry(key: kind, value: value) = inputs.entries.single;
  final of = _object(value);
  int number(String name) => of[name]! as int;
  return switch (kind) {
    'connect' => const Connect(),
    'token' => TokenSupplied(number('socket'), of['token'] as String?, expiresIn: of['expiresIn'] as int?),
    'tokenFailed' => TokenFailed(number('socket')),
    'opened' => Opened(number('socket')),
    'refused' => Refused(number('socket'), of['status'] as int?),
    'failed' => Failed(number('socket')),
    'invalid' => Invalid(number('socket'), of['reason']! as String),
    'received' => Received(number('socket'), _textOf(of)),
    'closed' => Closed(number('socket'), closeFrame: of['closeFrame'] == true),
    'answered' => PostAnswered(number('socket'), number('request'), of['status'] as int?, _textOf(of)),
    'subscribe' => Subscribe([
      for (final one in (of['several'] as List<Object?>? ?? [of]).map(_object)) _subscriberOf(one),
    ]),
    'follow' => Follow(Route.values.byName(of['to']! as String)),
    'unsubscribe' => Unsubscribe(of['entity']! as String, presence: of['presence'] == true),
    'send' => Send(
      number('request'),
      _object(of['frame']),
      safeToRepeat: of['safe'] == true,
      timeToLive: of['timeToLive'] as int?,
    ),
    'networkUp' => const NetworkUp(),
    'networkDown' => const NetworkDown(),
    'foreground' => const Foreground(),
    'close' => Close(number('within')),
    'time' => const Wake(),
    _ => throw CaseFailure('unknown input $kind'),
  };
}

/// Returns the text that arrived. It is empty if there is none.
String _textOf(Map<String, Object?> of) {
  final frame = of['frame'];
  return of['text'] as String? ?? (frame == null ? '' : jsonEncode(frame));
}

Subscriber _subscriberOf(Map<String, Object?> of) => Subscriber(
  of['request']! as int,
  of['entity']! as String,
  recover: of['recover'] == null ? null : Position.fromJson(_object(of['recover'])),
  rewind: of['rewind'] as int?,
  presence: of['presence'] == true,
);

/// The format of the effects of one machine. It keeps the last presence of each entity, because a case has what differs.
final class _CaseFormat {
  final Map<String, Presence?> _told = {};

  Map<String, Object?> of(Effect effect) => switch (effect) {
    Announce(:final state) => {'state': _stateIn(state)},
    AskToken(:final socket) => {
      'askToken': {'socket': socket},
    },
    OpenSocket(:final socket, :final token) => {
      'openSocket': {'socket': socket, 'token': token},
    },
    SendText(:final socket, :final text) => {
      'send': {'socket': socket, 'frame': jsonDecode(text)},
    },
    Post(:final socket, :final request, :final path, :final token, :final text) => {
      'post': {'socket': socket, 'request': request, 'path': path, 'token': token, 'frame': jsonDecode(text)},
    },
    ChangeTransport(:final transport) => {
      'transport': {'transport': transport.name.toLowerCase()},
    },
    CloseSocket(:final socket) => {
      'closeSocket': {'socket': socket},
    },
    Resolve(:final request, :final reply, :final position) => {
      'resolve': {
        'request': request,
        if (reply != null) 'reply': reply,
        if (position != null) 'position': position.toJson(),
      },
    },
    Reject(:final request, :final error) => {
      'reject': {'request': request, 'error': _errorIn(error)},
    },
    Deliver(:final to, :final frame) => {
      'deliver': {'to': to.name, 'frame': frame},
    },
    TellLost(:final audience, :final position) => {
      'lost': {..._audienceIn(audience), 'position': position?.toJson()},
    },
    TellRecovered(:final audience, :final messages) => {
      'recovered': {..._audienceIn(audience), 'messages': messages},
    },
    Ended(:final entity, :final error) => {
      'ended': {'entity': entity, 'error': _errorIn(error)},
    },
    TellPresence() => {'presence': _presenceIn(effect)},
  };

  Map<String, Object?> _presenceIn(TellPresence effect) {
    final TellPresence(:entity, :presence, :error) = effect;
    final change = PresenceChange.between(_told[entity], presence);
    _told[entity] = presence;
    return {
      'entity': entity,
      'count': presence?.count,
      'members': presence?.members?.values.toList(),
      'joined': change.joined,
      'left': change.left,
      if (error != null) 'error': _errorIn(error),
    };
  }
}

Map<String, Object?> _audienceIn(Audience audience) => {
  'to': audience.to.name,
  if (audience.entity != null) 'entity': audience.entity,
};

Map<String, Object?> _stateIn(ClientState state) => switch (state) {
  ClientConnecting() => {'name': 'connecting'},
  ClientOpen() => {'name': 'open'},
  ClientReconnecting(:final attempt, :final delay) => {
    'name': 'reconnecting',
    'attempt': attempt,
    'delay': delay?.inMilliseconds,
  },
  ClientStopped(:final reason) => {'name': 'stopped', 'reason': _reasonIn(reason)},
};

Map<String, Object?> _reasonIn(StopReason reason) => switch (reason) {
  StoppedByClose() => {'kind': 'closed'},
  StoppedByRefusals(:final status) => {'kind': 'refused', 'status': status},
  StoppedAsInvalid(:final reason) => {'kind': 'invalid', 'reason': reason},
  StoppedByServer(:final code, :final reason) => {'kind': 'disconnected', 'code': code, 'reason': reason},
};

Map<String, Object?> _errorIn(HeraldError error) => switch (error) {
  ServerError(:final code, :final message, :final isRetryable, :final eventIds) => {
    'kind': 'server',
    'code': code,
    'message': message,
    'retryable': isRetryable,
    if (eventIds != null) 'eventIds': eventIds,
  },
  GatewayError(:final code, :final message) => {'kind': 'gateway', 'code': code.name, 'message': message},
  OutcomeUnknownError() => {'kind': 'outcomeUnknown'},
  ExpiredError() => {'kind': 'expired'},
  OutboxFullError() => {'kind': 'outboxFull'},
  TooLargeError() => {'kind': 'tooLarge'},
  StoppedError() => {'kind': 'stopped'},
};

Map<String, Object?> _object(Object? value) => value! as Map<String, Object?>;

bool _isEqual(Object? one, Object? other) => switch ((one, other)) {
  (final Map<String, Object?> one, final Map<String, Object?> other) =>
    one.length == other.length && one.keys.every((key) => other.containsKey(key) && _isEqual(one[key], other[key])),
  (final List<Object?> one, final List<Object?> other) =>
    one.length == other.length && one.indexed.every((item) => _isEqual(item.$2, other[item.$1])),
  _ => one == other,
};
