import 'package:flutter/material.dart';
import 'package:herald_flutter/herald_flutter.dart';

/// Messages with their fates. Switch the network off, send, and switch it on again.
class OutboxPage extends StatefulWidget {
  const OutboxPage({super.key});

  @override
  State<OutboxPage> createState() => _OutboxPageState();
}

class _OutboxPageState extends State<OutboxPage> {
  final Map<int, String> _fates = {};

  Future<void> _send() async {
    final number = _fates.length + 1;
    setState(() => _fates[number] = 'waiting');
    final fate = await _fateOf(number);
    if (mounted) setState(() => _fates[number] = fate);
  }

  Future<String> _fateOf(int number) async {
    try {
      await HeraldScope.of(context).send('message $number', entityId: 'room-1');
      return 'sent';
    } on HeraldError catch (error) {
      return error.message;
    }
  }

  @override
  Widget build(BuildContext context) {
    final client = HeraldScope.of(context);
    return Column(
      children: [
        Row(
          children: [
            FilledButton(onPressed: _send, child: const Text('Send')),
            FilledButton(onPressed: client.networkDown, child: const Text('Network off')),
            FilledButton(onPressed: client.networkUp, child: const Text('Network on')),
          ],
        ),
        Text('${client.waitingMessages} in the outbox'),
        Expanded(
          child: ListView(
            children: [
              for (final MapEntry(key: number, value: fate) in _fates.entries)
                ListTile(title: Text('message $number'), subtitle: Text(fate)),
            ],
          ),
        ),
      ],
    );
  }
}
