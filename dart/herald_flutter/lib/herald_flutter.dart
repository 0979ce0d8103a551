/// Herald in Flutter applications: one connection for the whole application.
library;

export 'package:herald_client/herald_client.dart';

export 'src/action_handlers.dart';
export 'src/herald_scope.dart';
export 'src/life_cycle.dart';
