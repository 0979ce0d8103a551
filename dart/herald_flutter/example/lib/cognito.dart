import 'dart:convert';

import 'package:herald_flutter/herald_flutter.dart';
import 'package:http/http.dart' as http;

/// A user who has signed in to a user pool of Cognito.
class CognitoSession {
  CognitoSession._(this._region, this._client, this._token, this._refresh, this._expiresAt);

  final String _region;
  final String _client;
  final String _refresh;
  String _token;
  DateTime _expiresAt;

  /// Signs in. Throws a [CognitoException] if Cognito refuses.
  static Future<CognitoSession> signIn({
    required String region,
    required String client,
    required String user,
    required String password,
  }) async {
    final result = await _initiate(region, client, 'USER_PASSWORD_AUTH', {'USERNAME': user, 'PASSWORD': password});
    return CognitoSession._(region, client, result.token, result.refresh ?? '', result.expiresAt);
  }

  /// The token callback of the client, which calls it at every attempt to connect.
  Future<Token> token() async {
    if (DateTime.now().isAfter(_expiresAt.subtract(const Duration(minutes: 2)))) {
      final result = await _initiate(_region, _client, 'REFRESH_TOKEN_AUTH', {'REFRESH_TOKEN': _refresh});
      _token = result.token;
      _expiresAt = result.expiresAt;
    }
    return Token(_token, expiresAt: _expiresAt);
  }
}

/// Cognito refused a user or a token.
class CognitoException implements Exception {
  const CognitoException(this.message);

  final String message;

  @override
  String toString() => message;
}

Future<({String token, String? refresh, DateTime expiresAt})> _initiate(
  String region,
  String client,
  String flow,
  Map<String, String> parameters,
) async {
  final response = await http.post(
    Uri.https('cognito-idp.$region.amazonaws.com'),
    headers: {
      'Content-Type': 'application/x-amz-json-1.1',
      'X-Amz-Target': 'AWSCognitoIdentityProviderService.InitiateAuth',
    },
    body: jsonEncode({'AuthFlow': flow, 'ClientId': client, 'AuthParameters': parameters}),
  );
  // The body is UTF-8 whatever its header says; `response.body` would read it as Latin-1.
  final answer = jsonDecode(utf8.decode(response.bodyBytes)) as Map<String, Object?>;
  final result = answer['AuthenticationResult'];
  if (response.statusCode != 200 || result is! Map<String, Object?>) {
    throw CognitoException('${answer['message'] ?? answer['ChallengeName'] ?? response.statusCode}');
  }
  return (
    token: result['AccessToken']! as String,
    refresh: result['RefreshToken'] as String?,
    expiresAt: DateTime.now().add(Duration(seconds: result['ExpiresIn']! as int)),
  );
}
