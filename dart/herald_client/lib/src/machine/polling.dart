/// Polling: HTTP requests that read the logs and send messages, in the place of a WebSocket.
///
/// A link that polls is a link like any other. Its requests are POSTs, `sync` takes the place of `subscribe`, and in the
/// place of pushes there is a `sync` of every position from time to time.
library;

import 'dart:math';

import '../error.dart';
import '../position.dart';
import 'connecting.dart';
import 'frame.dart';
import 'link.dart';
import 'machine.dart';
import 'requests.dart';
import 'signals.dart';
import 'syncing.dart';

/// The longest pause between polls that the server demands.
const _longestPause = 15000;

/// The error of what a client that polls cannot do, as a frame has it.
const Frame unsupported = {
  'code': 'unsupported',
  'message': 'the client polls, and can only read logs from a position: use a WebSocket, or the parameter History',
  'retryable': false,
};

const _throttled = GatewayError(GatewayCode.throttled, 'Too Many Requests');

void post(Machine machine, Link link, int id, Request request, String body) {
  final path = request is MessageRequest ? 'messages' : 'poll';
  machine.perform(Post(link.socket, id, path: path, token: link.token, text: withId(body, id)));
}

/// Handles the answer to a request. Without an answer the link is broken, except for a message: its outcome is unknown.
void postAnswered(Machine machine, Link link, PostAnswered input) {
  final PostAnswered(request: id, :status, :text) = input;
  final request = link.inFlight[id];
  if (request == null) return;
  final isMessage = request is MessageRequest;
  if (status == 401 || (status == 403 && !isMessage)) return _unauthorized(machine, link, id, status);
  final meaning = read(text);
  if (meaning is Reply) {
    if (!isMessage) _pollLater(machine, link, integerOf(meaning.frame['pollAfter']) ?? 0);
    return request is OpenRequest ? _openedByPoll(machine, link, id) : answered(machine, link, id, meaning.frame);
  }
  final error = meaning is Failure ? meaning.error : (status == 429 ? _throttled : null);
  if (error == null || request is OpenRequest) return _unanswered(machine, link, id);
  if (!isMessage) _pollLater(machine, link, min(2 * link.pollAfter, _longestPause));
  failed(machine, link, id, error);
}

void _unanswered(Machine machine, Link link, int id) {
  final request = link.inFlight[id];
  if (request is! MessageRequest || !request.message.safeToRepeat) return timeOutRequest(machine, link, id);
  takeRequest(machine, link, id);
  requeueLater(machine, request.message);
}

void _openedByPoll(Machine machine, Link link, int id) {
  takeRequest(machine, link, id);
  opened(machine, link);
}

/// Counts a refused authorisation. The server did not carry out the request, so a message goes back to the outbox.
void _unauthorized(Machine machine, Link link, int id, int? status) {
  final request = link.inFlight[id];
  if (request is MessageRequest) {
    takeRequest(machine, link, id);
    machine.outbox.put(request.message);
  }
  machine.perform(CloseSocket(link.socket));
  refused(machine, link, status);
}

/// Polls after a pause. The random addition keeps clients that started together apart. [pause] is that which the server
/// demands. One that is not above 0 repeats the last one: what waits on the server is asked for by its own request.
void _pollLater(Machine machine, Link link, int pause) {
  if (pause > 0) link.pollAfter = pause;
  final delay = (link.pollAfter * (1 + 0.1 * machine.random())).round();
  machine.timers.set('poll ${link.socket}', machine.now + delay, () => poll(machine, link));
}

/// Compares every position, unless that is in progress.
void poll(Machine machine, Link link) {
  if (!syncAll(machine, link)) _pollLater(machine, link, link.pollAfter);
}

/// Returns the reply to a `sync` in the form of one to a `subscribe` to several entities.
Frame asAcknowledgement(SubscribeRequest request, Frame reply) {
  final results = objectOf(reply['entities']) ?? const {};
  return {
    'entities': {
      for (final (index, entity) in request.entities.indexed)
        entity: _asResult(request.asked[index], objectOf(results[entity])),
    },
  };
}

/// Returns the result of an entity. [result] is `null` if the client is current.
Frame? _asResult(Asked asked, Frame? result) {
  final Asked(:log, :position) = asked;
  if (result == null) {
    return position == null ? null : {...position.toJson(), 'top': position.offset, 'recovered': true};
  }
  final isSupported = result['offset'] != null && log.rewind == null;
  return result['error'] != null || isSupported ? result : const {'error': unsupported};
}
