import 'package:flutter/material.dart';

import 'cognito.dart';

class SignInPage extends StatefulWidget {
  const SignInPage({required this.onSignedIn, super.key});

  final void Function(CognitoSession session) onSignedIn;

  @override
  State<SignInPage> createState() => _SignInPageState();
}

class _SignInPageState extends State<SignInPage> {
  final _user = TextEditingController();
  final _password = TextEditingController();
  String _error = '';

  @override
  void dispose() {
    _user.dispose();
    _password.dispose();
    super.dispose();
  }

  Future<void> _signIn() async {
    try {
      final session = await CognitoSession.signIn(
        region: const String.fromEnvironment('COGNITO_REGION'),
        client: const String.fromEnvironment('COGNITO_CLIENT'),
        user: _user.text,
        password: _password.text,
      );
      widget.onSignedIn(session);
    } on Exception catch (error) {
      if (mounted) setState(() => _error = '$error');
    }
  }

  @override
  Widget build(BuildContext context) => Scaffold(
    body: Column(
      mainAxisAlignment: MainAxisAlignment.center,
      children: [
        TextField(controller: _user, decoration: const InputDecoration(labelText: 'User')),
        TextField(controller: _password, obscureText: true, decoration: const InputDecoration(labelText: 'Password')),
        FilledButton(onPressed: _signIn, child: const Text('Sign in')),
        Text(_error),
      ],
    ),
  );
}
