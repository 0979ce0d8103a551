import 'dart:async';
import 'dart:convert';

/// Supplies a token that is valid now. The client calls it at every attempt to connect, and to renew a token, and again
/// if it does not answer within `HeraldOptions.connectTimeout`. `null` connects without one.
typedef TokenCallback = FutureOr<Token?> Function();

/// A token, and its end.
final class Token {
  /// The end of a JWT is its `exp`, unless [expiresAt] states another.
  const Token(this.value, {this.expiresAt});

  final String value;
  final DateTime? expiresAt;

  /// Returns the time left, in milliseconds. `null` if the end is unknown or past: a past end means that this clock is
  /// wrong, and the server reports the end of the token.
  int? leftAt(int wall) {
    final end = expiresAt?.millisecondsSinceEpoch ?? _endOfJwt(value);
    return end == null || end <= wall ? null : end - wall;
  }

  /// The token is left out: a log must not hold it.
  @override
  String toString() => 'Token(…)';
}

/// Returns the `exp` of a JWT, in milliseconds since 1970. `null` if it has none.
int? _endOfJwt(String token) {
  final parts = token.split('.');
  if (parts.length < 2) return null;
  try {
    final claims = jsonDecode(utf8.decode(base64Url.decode(base64Url.normalize(parts[1]))));
    final end = claims is Map<String, Object?> ? claims['exp'] : null;
    return end is num && end.isFinite && end.abs() < 1e12 ? (end * 1000).toInt() : null;
  } on FormatException {
    return null;
  }
}
