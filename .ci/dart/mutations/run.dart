// Breaks the rules of the machine, one at a time: a case has to notice each.
//
//     run.dart ROOT SCRATCH

import 'dart:async';
import 'dart:io';
import 'dart:isolate';

import 'rules.dart';

Future<void> main(List<String> arguments) async {
  final [root, scratch] = arguments;
  final client = Directory('$root/dart/herald_client/lib');
  final left = rules.indexed.iterator;
  var unnoticed = 0;
  Future<void> work() async {
    while (left.moveNext()) {
      final (index, rule) = left.current;
      final mutant = Directory('$scratch/mutant$index');
      try {
        _mutate(client, mutant, rule);
        final noticed = await _noticed(root, mutant);
        if (noticed) continue;
        stdout.writeln('not noticed: without ${rule.about}');
      } on Object catch (error) {
        stdout.writeln('${rule.about}: $error');
      }
      unnoticed += 1;
    }
  }

  await Future.wait([work(), work()]);
  stdout.writeln('${rules.length - unnoticed} of ${rules.length} broken rules were noticed');
  exit(unnoticed == 0 ? 0 : 1);
}

/// Copies the client, and replaces the text of a rule in it.
void _mutate(Directory client, Directory mutant, Rule rule) {
  for (final file in client.listSync(recursive: true).whereType<File>()) {
    final copy = File('${mutant.path}/lib${file.path.substring(client.path.length)}')..createSync(recursive: true);
    file.copySync(copy.path);
  }
  final file = File('${mutant.path}/lib/src/machine/${rule.file}');
  final source = file.readAsStringSync();
  final places = rule.text.allMatches(source).length;
  if (places != 1) throw StateError('`${rule.text}` stands $places times in ${rule.file}, and has to once');
  file.writeAsStringSync(source.replaceFirst(rule.text, rule.replacement));
}

/// Returns true if a case fails, or never ends.
Future<bool> _noticed(String root, Directory mutant) async {
  final packages = File('${mutant.path}/package_config.json')..writeAsStringSync(
    '{"configVersion":2,"packages":[{"name":"herald_client","rootUri":"file://${mutant.path}",'
    '"packageUri":"lib/","languageVersion":"3.7"}]}',
  );
  final result = ReceivePort();
  final isolate = await Isolate.spawnUri(
    Platform.script.resolve('case_runner.dart'),
    ['$root/client/tests/behaviour', '$root/dart/herald_client/test/cases'],
    result.sendPort,
    packageConfig: packages.uri,
  );
  final failed = await result.first.timeout(const Duration(seconds: 60), onTimeout: () => 'endless');
  isolate.kill(priority: Isolate.immediate);
  return failed != null;
}
