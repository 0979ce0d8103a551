/// A stand-in for package:test, which the registries that CI reaches do not have: the part of its API that the tests of
/// the Dart packages use. A test runs as in package:test, one after the other, each in a zone that reports what it does
/// not catch.
library;

import 'dart:async';
import 'dart:io';

export 'matchers.dart';

final List<(String, FutureOr<void> Function())> _tests = [];
final List<String> _groups = [];
final List<FutureOr<void> Function()> _tearDowns = [];
bool _isScheduled = false;

void group(String name, void Function() body) {
  _groups.add(name);
  body();
  _groups.removeLast();
}

void test(String name, FutureOr<void> Function() body) {
  _tests.add(([..._groups, name].join(' '), body));
  if (!_isScheduled) Timer.run(_runAll);
  _isScheduled = true;
}

void addTearDown(FutureOr<void> Function() callback) => _tearDowns.add(callback);

Future<void> _runAll() async {
  var failed = 0;
  for (final (name, body) in _tests) {
    final error = await _run(body);
    if (error == null) continue;
    failed += 1;
    stdout.writeln('FAILED $name\n$error');
  }
  stdout.writeln('${_tests.length - failed} passed, $failed failed');
  await stdout.flush();
  exit(failed == 0 ? 0 : 1);
}

/// Runs a test. Returns what it did not catch, also in callbacks that it did not wait for.
Future<String?> _run(FutureOr<void> Function() body) {
  final ended = Completer<String?>();
  void end(String? error) {
    if (!ended.isCompleted) ended.complete(error);
  }

  runZonedGuarded(() async {
    await body();
    while (_tearDowns.isNotEmpty) {
      await _tearDowns.removeLast()();
    }
    // A callback that the test did not wait for may still fail.
    for (var turn = 0; turn < 3; turn++) {
      await Future<void>(() {});
    }
    end(null);
  }, (error, trace) => end('$error\n$trace'));
  return ended.future.timeout(const Duration(seconds: 60), onTimeout: () => 'the test hung');
}

/// The platforms of a test. CI has one.
class TestOn {
  const TestOn(String platform);
}
