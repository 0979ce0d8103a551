import 'dart:io';

import 'package:test/test.dart';

import 'support/cases.dart';

void main() {
  final cases = casesIn(Directory('../../client/tests/behaviour'));

  test('cases are found', () => expect(cases, isNotEmpty));

  for (final each in cases) {
    test('${each.file}: ${each.name}', each.run);
  }
}
