// The client with its connector for browsers, for `dart compile js`.

import 'package:herald_client/herald_client.dart';

void main() => HeraldClient(Uri.parse('wss://example.com'));
