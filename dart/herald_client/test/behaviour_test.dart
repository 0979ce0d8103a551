import 'dart:io';

import 'package:test/test.dart';

import 'support/cases.dart';

void main() {
  final shared = casesIn(Directory('../../client/tests/behaviour'));

  test('shared cases are found', () => expect(shared, isNotEmpty));

  for (final each in [...shared, ...casesIn(Directory('test/cases'))]) {
    test('${each.file}: ${each.name}', each.run);
  }
}
