import 'dart:convert';

import 'package:herald_client/herald_client.dart';
import 'package:test/test.dart';

void main() {
  const now = 1700000000000;
  String jwt(Object? claims) => 'h.${base64Url.encode(utf8.encode(jsonEncode(claims))).replaceAll('=', '')}.s';

  final cases = <String, (Token, int?)>{
    'the exp of a JWT': (Token(jwt({'exp': 1700000060, 'name': 'Jürgen ✓'})), 60000),
    'an exp with a fraction': (Token(jwt({'exp': 1700000060.5})), 60500),
    'a stated end, before that of the JWT': (
      Token(jwt({'exp': 1700000060}), expiresAt: DateTime.fromMillisecondsSinceEpoch(now + 10)),
      10,
    ),
    'an end that is past': (Token(jwt({'exp': 1600000000})), null),
    'a JWT without exp': (Token(jwt({'sub': 'u1'})), null),
    'an exp that is no number': (Token(jwt({'exp': '1700000060'})), null),
    'an exp that overflows': (Token(jwt({'exp': 1e300})), null),
    'claims that are no object': (Token(jwt([1])), null),
    'claims that are no JSON': (const Token('h.bm90IGpzb24.s'), null),
    'claims that are no base64': (const Token('h.***.s'), null),
    'claims that are no UTF-8': (const Token('h._w.s'), null),
    'a token that is no JWT': (const Token('secret'), null),
  };
  for (final MapEntry(key: name, value: (token, left)) in cases.entries) {
    test('the time left with $name', () => expect(token.leftAt(now), left));
  }

  test('a token is not printed', () => expect('${const Token('secret')}'.contains('secret'), isFalse));
}
