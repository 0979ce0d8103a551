/// A stand-in for package:http: the part of its API that the example uses.
library;

import 'dart:typed_data';

class Response {
  Response(this.statusCode, this.bodyBytes);

  final int statusCode;
  final Uint8List bodyBytes;
}

Future<Response> post(Uri url, {Map<String, String>? headers, Object? body}) => throw UnimplementedError();
