import 'dart:async';

import 'package:flutter/material.dart';
import 'package:herald_flutter/herald_flutter.dart';

/// The chat of the tutorials: who is here, right and wrong input, and the answer to each.
class ChatPage extends StatefulWidget {
  const ChatPage({super.key});

  @override
  State<ChatPage> createState() => _ChatPageState();
}

class _ChatPageState extends State<ChatPage> {
  final _text = TextEditingController(text: 'Hello');
  final List<String> _lines = [];
  Future<Subscription>? _joining;
  Subscription? _room;

  @override
  void didChangeDependencies() {
    super.didChangeDependencies();
    if (_joining == null) unawaited(_join(_joining = HeraldScope.of(context).subscribe('room-1', presence: true)));
  }

  Future<void> _join(Future<Subscription> joining) async {
    try {
      final room = await joining;
      if (!mounted) return room.cancel();
      setState(() => _room = room);
      room.pushes.listen(
        (push) => _show('${push.name ?? 'unnamed'}: ${push.message}'),
        onError: (Object error) => _show('the room is closed: $error'),
      );
    } on HeraldError catch (error) {
      _show('the room is closed: ${error.message}');
    }
  }

  @override
  void dispose() {
    _room?.cancel();
    _text.dispose();
    super.dispose();
  }

  void _show(String line) {
    if (mounted) setState(() => _lines.insert(0, line));
  }

  /// Sends to the others in the room, and without a target for the echo of the tutorials.
  Future<void> _send({String? entityId}) => _answer((client) async {
    final reply = await client.send(_text.text, entityId: entityId, name: 'Flutter');
    return entityId == null ? 'echo: ${reply.message}' : 'sent to $entityId as ${reply.eventId}';
  });

  Future<void> _sendWrong() => _answer((client) async => '${await client.request({'action': 'nonsense'})}');

  Future<void> _answer(Future<String> Function(HeraldClient client) ask) async {
    try {
      _show(await ask(HeraldScope.of(context)));
    } on HeraldError catch (error) {
      _show('error: ${error.message}');
    }
  }

  @override
  Widget build(BuildContext context) => Column(
    children: [
      StreamBuilder<PresenceChange>(
        stream: _room?.presenceChanges,
        builder: (context, snapshot) => Text(_usersOf(snapshot.data?.presence)),
      ),
      TextField(controller: _text, decoration: const InputDecoration(labelText: 'Message')),
      Row(
        children: [
          FilledButton(onPressed: () => _send(entityId: 'room-1'), child: const Text('Send to room-1')),
          FilledButton(onPressed: _send, child: const Text('Echo')),
          FilledButton(onPressed: _sendWrong, child: const Text('Wrong input')),
        ],
      ),
      Expanded(child: ListView.builder(itemCount: _lines.length, itemBuilder: (context, index) => Text(_lines[index]))),
    ],
  );
}

String _usersOf(Presence? presence) {
  if (presence == null) return 'This room tells no presence.';
  return 'Here: ${presence.members?.values.map((member) => member.userId).join(', ') ?? presence.count}';
}
