import 'dart:async';

/// A condition on a value.
class Matcher {
  const Matcher(this.description, this._matches);

  final String description;
  final bool Function(Object? value) _matches;

  bool matches(Object? value) => _matches(value);
}

/// A condition on a type.
class TypeMatcher<T> extends Matcher {
  TypeMatcher([String? description, bool Function(T value)? further])
    : this._(description ?? 'a $T', further ?? ((_) => true));

  TypeMatcher._(String description, this._further) : super(description, (value) => value is T && _further(value));

  final bool Function(T value) _further;

  TypeMatcher<T> having(Object? Function(T value) feature, String name, Object? expected) => TypeMatcher(
    '$description with $name ${_matcherOf(expected).description}',
    (value) => _further(value) && _matcherOf(expected).matches(feature(value)),
  );
}

/// A condition on a future or a stream.
class AsyncMatcher extends Matcher {
  AsyncMatcher(String description, this.check) : super(description, ((_) => throw StateError('await expectLater')));

  final Future<void> Function(Object? value) check;
}

class TestFailure implements Exception {
  TestFailure(this.message);

  final String message;

  @override
  String toString() => message;
}

final isTrue = _equals(true);
final isFalse = _equals(false);
final isNull = _equals(null);
final isNotNull = Matcher('not null', (value) => value != null);
final isEmpty = Matcher('empty', (value) => value is Map ? value.isEmpty : (value! as Iterable<Object?>).isEmpty);
final isNotEmpty = Matcher('not empty', (value) => !isEmpty.matches(value));
final throwsArgumentError = throwsA(isA<ArgumentError>());
final throwsStateError = throwsA(isA<StateError>());
final emitsDone = Matcher('done', (event) => event is _Done);

TypeMatcher<T> isA<T>() => TypeMatcher<T>();

Matcher hasLength(int length) =>
    Matcher('of length $length', (value) => (value! as Iterable<Object?>).length == length);

Matcher contains(Object? item) =>
    Matcher('with ${_show(item)}', (value) => (value! as Iterable<Object?>).any(_matcherOf(item).matches));

Matcher greaterThan(num bound) => Matcher('over $bound', (value) => (value! as num) > bound);

Matcher lessThan(num bound) => Matcher('under $bound', (value) => (value! as num) < bound);

Matcher emitsError(Object? error) => Matcher(
  'an error: ${_matcherOf(error).description}',
  (event) => event is _Error && _matcherOf(error).matches(event.error),
);

AsyncMatcher emitsInOrder(List<Object?> events) => AsyncMatcher('the events in order', (value) async {
  final seen = <Object?>[];
  final ended = Completer<void>();
  (value! as Stream<Object?>).listen(
    seen.add,
    onError: (Object error) => seen.add(_Error(error)),
    onDone: () {
      seen.add(const _Done());
      ended.complete();
    },
  );
  await ended.future;
  expect(seen, events);
});

AsyncMatcher throwsA(Matcher error) => AsyncMatcher('throws ${error.description}', (value) async {
  try {
    await (value is Function ? Future<Object?>.sync(() => (value as Object? Function())()) : value! as Future<Object?>);
  } on Object catch (thrown) {
    if (!error.matches(thrown)) throw TestFailure('expected ${error.description}, threw $thrown');
    return;
  }
  throw TestFailure('expected ${error.description}, and nothing was thrown');
});

void expect(Object? actual, Object? expected) {
  final matcher = _matcherOf(expected);
  if (matcher is AsyncMatcher) return unawaited(matcher.check(actual));
  if (!matcher.matches(actual)) throw TestFailure('expected ${matcher.description}, got ${_show(actual)}');
}

Future<void> expectLater(Object? actual, Object? expected) async {
  final matcher = _matcherOf(expected);
  if (matcher is AsyncMatcher) return matcher.check(actual);
  expect(actual, expected);
}

Never fail(String message) => throw TestFailure(message);

final class _Done {
  const _Done();
}

final class _Error {
  const _Error(this.error);

  final Object error;
}

Matcher _matcherOf(Object? expected) => expected is Matcher ? expected : _equals(expected);

Matcher _equals(Object? expected) => Matcher(_show(expected), (value) => _isEqual(value, expected));

/// Compares as package:test does: lists and maps by their content, and a matcher matches.
bool _isEqual(Object? one, Object? other) => switch ((one, other)) {
  (_, final Matcher matcher) => matcher.matches(one),
  (final Map<Object?, Object?> one, final Map<Object?, Object?> other) =>
    one.length == other.length && one.keys.every((key) => other.containsKey(key) && _isEqual(one[key], other[key])),
  (final List<Object?> one, final List<Object?> other) =>
    one.length == other.length && one.indexed.every((item) => _isEqual(item.$2, other[item.$1])),
  _ => one == other,
};

String _show(Object? value) => switch (value) {
  Matcher(:final description) => description,
  final List<Object?> values => '[${values.map(_show).join(', ')}]',
  _ => '$value',
};
