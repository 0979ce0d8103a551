import 'package:flutter/material.dart';
import 'package:herald_flutter/herald_flutter.dart';

/// Texts of all scripts, each beside its echo. A client that reads UTF-8 as Latin-1 shows them garbled.
class ScriptsPage extends StatefulWidget {
  const ScriptsPage({super.key});

  @override
  State<ScriptsPage> createState() => _ScriptsPageState();
}

class _ScriptsPageState extends State<ScriptsPage> {
  static const _texts = [
    'Grüße',
    'Привет',
    'Γειά',
    'שלום',
    'مرحبا',
    'नमस्ते',
    'สวัสดี',
    '你好',
    'こんにちは',
    '안녕',
    '👩‍👩‍👧',
  ];
  final Map<String, String> _echoes = {};

  Future<void> _echo() async {
    final client = HeraldScope.of(context);
    for (final text in _texts) {
      final echo = await _echoOf(client, text);
      if (!mounted) return;
      setState(() => _echoes[text] = echo);
    }
  }

  Future<String> _echoOf(HeraldClient client, String text) async {
    try {
      final echo = (await client.send(text)).message;
      return echo == text ? '$echo' : 'WRONG: $echo';
    } on HeraldError catch (error) {
      return error.message;
    }
  }

  @override
  Widget build(BuildContext context) => Column(
    children: [
      FilledButton(onPressed: _echo, child: const Text('Send all')),
      Expanded(
        child: ListView(
          children: [for (final text in _texts) ListTile(title: Text(text), subtitle: Text(_echoes[text] ?? ''))],
        ),
      ),
    ],
  );
}
