import 'package:flutter/material.dart';
import 'package:herald_flutter/herald_flutter.dart';

/// The last message of each of several entities.
class DashboardPage extends StatelessWidget {
  const DashboardPage({super.key});

  @override
  Widget build(BuildContext context) => ListView(
    children: [for (var order = 1; order <= 10; order++) EntityTile('order-$order', key: ValueKey('order-$order'))],
  );
}

class EntityTile extends StatefulWidget {
  const EntityTile(this.entityId, {super.key});

  final String entityId;

  @override
  State<EntityTile> createState() => _EntityTileState();
}

class _EntityTileState extends State<EntityTile> {
  Stream<Push>? _pushes;

  @override
  void didChangeDependencies() {
    super.didChangeDependencies();
    _pushes ??= HeraldScope.of(context).pushesOf(widget.entityId);
  }

  @override
  Widget build(BuildContext context) => StreamBuilder<Push>(
    stream: _pushes,
    builder:
        (context, snapshot) => ListTile(
          title: Text(widget.entityId),
          subtitle: Text(snapshot.hasError ? '${snapshot.error}' : '${snapshot.data?.message ?? 'no message yet'}'),
        ),
  );
}
