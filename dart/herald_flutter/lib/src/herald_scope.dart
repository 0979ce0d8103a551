import 'dart:async';

import 'package:flutter/widgets.dart';
import 'package:herald_client/herald_client.dart';

import 'life_cycle.dart';

/// The client of an application, for all widgets below.
///
/// It belongs above the `MaterialApp`: an application has one connection, and a scope that a route removes would close
/// it.
class HeraldScope extends StatefulWidget {
  const HeraldScope({
    required this.create,
    required this.child,
    this.backgroundLimit = const Duration(minutes: 2),
    this.network,
    super.key,
  });

  /// Creates the client, once.
  final HeraldClient Function() create;

  final Widget child;

  /// The time in the background after which the connection is closed.
  final Duration backgroundLimit;

  /// Tells whether there is a network, at each change. Optional.
  final Stream<bool>? network;

  /// Returns the client of the nearest scope.
  static HeraldClient of(BuildContext context) {
    final scope = context.dependOnInheritedWidgetOfExactType<_InheritedClient>();
    if (scope == null) throw StateError('HeraldScope.of needs a HeraldScope above the widget that calls it.');
    return scope.client;
  }

  @override
  State<HeraldScope> createState() => _HeraldScopeState();
}

class _HeraldScopeState extends State<HeraldScope> {
  late final HeraldClient _client = widget.create();
  late final HeraldLifeCycle _lifeCycle;
  late final AppLifecycleListener _listener;

  @override
  void initState() {
    super.initState();
    _lifeCycle = HeraldLifeCycle(_client, backgroundLimit: widget.backgroundLimit, network: widget.network);
    _listener = AppLifecycleListener(onHide: _lifeCycle.hidden, onShow: _lifeCycle.shown);
  }

  @override
  void dispose() {
    _listener.dispose();
    _lifeCycle.dispose();
    unawaited(_client.close());
    super.dispose();
  }

  @override
  Widget build(BuildContext context) => _InheritedClient(client: _client, child: widget.child);
}

class _InheritedClient extends InheritedWidget {
  const _InheritedClient({required this.client, required super.child});

  final HeraldClient client;

  @override
  bool updateShouldNotify(_InheritedClient old) => client != old.client;
}
