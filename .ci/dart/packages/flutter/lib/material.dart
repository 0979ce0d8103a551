/// Stand-ins for Flutter's Material classes; see widgets.dart.
library;

import 'widgets.dart';

export 'widgets.dart';

class MaterialApp extends Widget {
  const MaterialApp({super.key, String? title, Widget? home});
}

class Scaffold extends Widget {
  const Scaffold({super.key, AppBar? appBar, Widget? body, Widget? bottomNavigationBar});
}

class AppBar extends Widget {
  AppBar({super.key, Widget? title});
}

class NavigationBar extends Widget {
  const NavigationBar({
    super.key,
    int? selectedIndex,
    required List<Widget> destinations,
    void Function(int)? onDestinationSelected,
  });
}

class NavigationDestination extends Widget {
  const NavigationDestination({super.key, required Widget icon, required String label});
}

abstract final class Icons {
  static const chat = IconData();
  static const dashboard = IconData();
  static const outbox = IconData();
  static const translate = IconData();
}

class FilledButton extends Widget {
  const FilledButton({super.key, required VoidCallback? onPressed, required Widget? child});
}

class TextField extends Widget {
  const TextField({
    super.key,
    TextEditingController? controller,
    InputDecoration? decoration,
    bool obscureText = false,
  });
}

class InputDecoration {
  const InputDecoration({String? labelText});
}

class ListTile extends Widget {
  const ListTile({super.key, Widget? title, Widget? subtitle});
}
