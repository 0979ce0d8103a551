import 'package:herald_client/src/probe.dart';
import 'package:test/test.dart';

void main() {
  test('the probe of a server has its port and path, and no query', () {
    for (final (address, expected) in [
      ('wss://example.com/prod?x=1', 'https://example.com/prod'),
      ('ws://127.0.0.1:3030/dev', 'http://127.0.0.1:3030/dev'),
      ('wss://example.com:8443', 'https://example.com:8443'),
    ]) {
      expect('${probeOf(Uri.parse(address))}', expected);
    }
  });
}
