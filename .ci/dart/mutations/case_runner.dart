// Runs all cases against a mutated machine, in its own isolate, until one fails. Sends its name, or `null`.

import 'dart:io';
import 'dart:isolate';

import '../../../dart/herald_client/test/support/cases.dart';

void main(List<String> arguments, SendPort result) {
  for (final each in arguments.map(Directory.new).expand(casesIn)) {
    try {
      each.run();
    } on Object {
      return result.send('${each.file}: ${each.name}');
    }
  }
  result.send(null);
}
