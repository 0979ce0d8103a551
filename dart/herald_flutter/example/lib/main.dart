import 'package:flutter/material.dart';
import 'package:herald_flutter/herald_flutter.dart';

import 'chat_page.dart';
import 'dashboard_page.dart';
import 'outbox_page.dart';
import 'scripts_page.dart';
import 'sign_in_page.dart';

const _url = String.fromEnvironment('HERALD_URL', defaultValue: 'ws://127.0.0.1:3001');
const _cognitoClient = String.fromEnvironment('COGNITO_CLIENT');

void main() => runApp(const ExampleApp());

class ExampleApp extends StatefulWidget {
  const ExampleApp({super.key});

  @override
  State<ExampleApp> createState() => _ExampleAppState();
}

class _ExampleAppState extends State<ExampleApp> {
  TokenCallback? _token;

  @override
  Widget build(BuildContext context) {
    final token = _token;
    if (_cognitoClient != '' && token == null) {
      return MaterialApp(home: SignInPage(onSignedIn: (session) => setState(() => _token = session.token)));
    }
    return HeraldScope(
      create: () => HeraldClient(Uri.parse(_url), token: token),
      child: const MaterialApp(title: 'Herald', home: HomePage()),
    );
  }
}

class HomePage extends StatefulWidget {
  const HomePage({super.key});

  @override
  State<HomePage> createState() => _HomePageState();
}

class _HomePageState extends State<HomePage> {
  static const _pages = [ChatPage(), DashboardPage(), OutboxPage(), ScriptsPage()];
  int _page = 0;

  @override
  Widget build(BuildContext context) => Scaffold(
    appBar: AppBar(title: const StateText()),
    body: _pages[_page],
    bottomNavigationBar: NavigationBar(
      selectedIndex: _page,
      onDestinationSelected: (page) => setState(() => _page = page),
      destinations: const [
        NavigationDestination(icon: Icon(Icons.chat), label: 'Chat'),
        NavigationDestination(icon: Icon(Icons.dashboard), label: 'Dashboard'),
        NavigationDestination(icon: Icon(Icons.outbox), label: 'Outbox'),
        NavigationDestination(icon: Icon(Icons.translate), label: 'Scripts'),
      ],
    ),
  );
}

/// The state of the connection.
class StateText extends StatefulWidget {
  const StateText({super.key});

  @override
  State<StateText> createState() => _StateTextState();
}

class _StateTextState extends State<StateText> {
  Stream<ClientState>? _states;

  @override
  void didChangeDependencies() {
    super.didChangeDependencies();
    _states ??= HeraldScope.of(context).states;
  }

  @override
  Widget build(BuildContext context) => StreamBuilder<ClientState>(
    stream: _states,
    builder:
        (context, snapshot) => Text(switch (snapshot.data) {
          null || ClientConnecting() => 'connecting',
          ClientOpen() => 'open',
          ClientReconnecting(:final attempt, delay: final delay?) => 'attempt $attempt in ${delay.inSeconds} s',
          ClientReconnecting() => 'no network',
          ClientStopped(reason: StoppedByRefusals(:final status)) => 'refused: $status',
          ClientStopped() => 'stopped',
        }),
  );
}
