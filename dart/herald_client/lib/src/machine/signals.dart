/// The inputs and effects of the machine.
library;

import 'dart:convert';

import '../error.dart';
import '../position.dart';
import '../presence.dart';
import '../state.dart';
import 'log.dart';

/// A frame, as its JSON stands on the wire.
typedef Frame = Map<String, Object?>;

/// The later of all times and the last of all requests.
const never = 9007199254740991;

/// A subscriber that waits for an acknowledgement. [recover] or [rewind] is the start of the first subscriber of an
/// entity. [presence] is true if it asks for presence.
final class Subscriber {
  const Subscriber(this.request, this.entity, {this.recover, this.rewind, this.presence = false});

  final int request;
  final String entity;
  final Position? recover;
  final int? rewind;
  final bool presence;
}

/// The readers of a push, beside those of its type.
enum Route { entity, notifications, broadcasts, other }

/// An event for the machine. The machine numbers the sockets, its caller the requests.
sealed class Input {
  const Input();
}

final class Connect extends Input {
  const Connect();
}

final class Subscribe extends Input {
  const Subscribe(this.subscribers);

  final List<Subscriber> subscribers;
}

/// A subscriber leaves. [presence] is true if it asked for presence.
final class Unsubscribe extends Input {
  const Unsubscribe(this.entity, {this.presence = false});

  final String entity;
  final bool presence;
}

/// The application reads the notifications or the broadcasts.
final class Follow extends Input {
  const Follow(this.to);

  final Route to;
}

final class Send extends Input {
  const Send(this.request, this.frame, {this.safeToRepeat = false, this.timeToLive});

  final int request;
  final Frame frame;
  final bool safeToRepeat;
  final int? timeToLive;
}

final class NetworkUp extends Input {
  const NetworkUp();
}

final class NetworkDown extends Input {
  const NetworkDown();
}

/// The application needs no connection before the hint that the network is up.
final class Suspend extends Input {
  const Suspend();
}

final class Foreground extends Input {
  const Foreground();
}

final class Close extends Input {
  const Close(this.within);

  final int within;
}

/// Time passes.
final class Wake extends Input {
  const Wake();
}

/// An event of one socket.
sealed class SocketInput extends Input {
  const SocketInput(this.socket);

  final int socket;
}

final class TokenSupplied extends SocketInput {
  const TokenSupplied(super.socket, this.token, {this.expiresIn});

  final String? token;
  final int? expiresIn;
}

final class TokenFailed extends SocketInput {
  const TokenFailed(super.socket);
}

final class Opened extends SocketInput {
  const Opened(super.socket);
}

/// The server refused the handshake. [status] is `null` if it is unknown.
final class Refused extends SocketInput {
  const Refused(super.socket, this.status);

  final int? status;
}

/// The server could not be reached.
final class Failed extends SocketInput {
  const Failed(super.socket);
}

/// No attempt can succeed.
final class Invalid extends SocketInput {
  const Invalid(super.socket, this.reason);

  final String reason;
}

final class Received extends SocketInput {
  const Received(super.socket, this.text);

  final String text;
}

/// The connection ended. [closeFrame] is true if it ended with a close frame.
final class Closed extends SocketInput {
  const Closed(super.socket, {this.closeFrame = false});

  final bool closeFrame;
}

/// The answer to a [Post]. [status] is `null` if there was none.
final class PostAnswered extends SocketInput {
  const PostAnswered(super.socket, this.request, this.status, [this.text = '']);

  final int request;
  final int? status;
  final String text;
}

/// A task for the driver. Effects are performed in order.
sealed class Effect {
  const Effect();
}

final class Announce extends Effect {
  const Announce(this.state);

  final ClientState state;
}

/// The client uses this transport from now on. It comes before the state.
final class ChangeTransport extends Effect {
  const ChangeTransport(this.transport);

  final Transport transport;
}

final class AskToken extends Effect {
  const AskToken(this.socket);

  final int socket;
}

final class OpenSocket extends Effect {
  const OpenSocket(this.socket, this.token);

  final int socket;
  final String? token;
}

final class SendText extends Effect {
  const SendText(this.socket, this.text);

  final int socket;
  final String text;
}

/// Sends a text by HTTP, for a link that polls.
final class Post extends Effect {
  const Post(this.socket, this.request, {required this.path, required this.token, required this.text});

  final int socket;
  final int request;

  /// The path beside the address: `poll` or `messages`.
  final String path;
  final String? token;
  final String text;
}

/// Closes a socket, or abandons the attempt or the requests of one that polls.
final class CloseSocket extends Effect {
  const CloseSocket(this.socket);

  final int socket;
}

final class Resolve extends Effect {
  const Resolve(this.request, {this.reply, this.position});

  final int request;
  final Frame? reply;
  final Position? position;
}

final class Reject extends Effect {
  const Reject(this.request, this.error);

  final int request;
  final HeraldError error;
}

final class Deliver extends Effect {
  const Deliver(this.to, this.frame);

  final Route to;
  final Frame frame;
}

/// Messages may be lost. Delivery goes on from [position], which is `null` if the audience has no log any more.
final class TellLost extends Effect {
  const TellLost(this.audience, this.position);

  final Audience audience;
  final Position? position;
}

/// Every message was recovered.
final class TellRecovered extends Effect {
  const TellRecovered(this.audience, this.messages);

  final Audience audience;
  final int messages;
}

/// The presence of an entity changed, or is told again to a subscriber that was added. [presence] is `null` if there is
/// none; [error] is then the refusal, if the server refused it.
final class TellPresence extends Effect {
  const TellPresence(this.entity, this.presence, this.error);

  final String entity;
  final Presence? presence;
  final HeraldError? error;
}

final class Ended extends Effect {
  const Ended(this.entity, this.error);

  final String entity;
  final HeraldError error;
}

/// Returns a request with its `id`. [body] is the JSON of an object that is not empty.
String withId(String body, int id) => '${body.substring(0, body.length - 1)},"id":"$id"}';

/// Returns the length of a text as UTF-8.
int bytesOf(String text) => utf8.encode(text).length;

/// Compares texts as their UTF-8, whose order is that of their code points.
int compareAsUtf8(String one, String other) {
  final left = one.runes.iterator, right = other.runes.iterator;
  while (left.moveNext()) {
    if (!right.moveNext()) return 1;
    if (left.current != right.current) return left.current.compareTo(right.current);
  }
  return right.moveNext() ? -1 : 0;
}
