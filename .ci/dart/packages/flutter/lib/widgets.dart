/// Stand-ins for Flutter's classes, with the constructors and members that the packages use. The compiler checks the
/// packages against them; nothing runs.
library;

typedef VoidCallback = void Function();
typedef WidgetBuilder = Widget Function(BuildContext context);
typedef NullableIndexedWidgetBuilder = Widget? Function(BuildContext context, int index);
typedef AsyncWidgetBuilder<T> = Widget Function(BuildContext context, AsyncSnapshot<T> snapshot);

abstract class Key {
  const Key();
}

class ValueKey<T> extends Key {
  const ValueKey(this.value);

  final T value;
}

abstract class BuildContext {
  T? dependOnInheritedWidgetOfExactType<T extends InheritedWidget>({Object? aspect});
}

abstract class Widget {
  const Widget({this.key});

  final Key? key;
}

abstract class StatelessWidget extends Widget {
  const StatelessWidget({super.key});

  Widget build(BuildContext context);
}

abstract class StatefulWidget extends Widget {
  const StatefulWidget({super.key});

  State createState();
}

abstract class State<T extends StatefulWidget> {
  T get widget => throw UnimplementedError();
  BuildContext get context => throw UnimplementedError();
  bool get mounted => throw UnimplementedError();
  void initState() {}
  void didChangeDependencies() {}
  void dispose() {}
  void setState(VoidCallback fn) {}
  Widget build(BuildContext context);
}

abstract class InheritedWidget extends Widget {
  const InheritedWidget({super.key, required this.child});

  final Widget child;

  bool updateShouldNotify(covariant InheritedWidget oldWidget);
}

class AppLifecycleListener {
  AppLifecycleListener({this.onHide, this.onShow});

  final VoidCallback? onHide;
  final VoidCallback? onShow;

  void dispose() {}
}

class AsyncSnapshot<T> {
  const AsyncSnapshot(this.data, this.error);

  final T? data;
  final Object? error;

  bool get hasError => error != null;
}

class StreamBuilder<T> extends Widget {
  const StreamBuilder({super.key, required this.stream, required this.builder});

  final Stream<T>? stream;
  final AsyncWidgetBuilder<T> builder;
}

class Text extends Widget {
  const Text(String data, {super.key});
}

class Column extends Widget {
  const Column({super.key, MainAxisAlignment? mainAxisAlignment, List<Widget>? children});
}

enum MainAxisAlignment { start, center }

class Row extends Widget {
  const Row({super.key, List<Widget>? children});
}

class Expanded extends Widget {
  const Expanded({super.key, required Widget child});
}

class ListView extends Widget {
  ListView({super.key, List<Widget>? children});

  ListView.builder({super.key, required NullableIndexedWidgetBuilder itemBuilder, int? itemCount});
}

class IconData {
  const IconData();
}

class Icon extends Widget {
  const Icon(IconData? icon, {super.key});
}

class TextEditingController {
  TextEditingController({String? text}) : text = text ?? '';

  String text;

  void dispose() {}
}

void runApp(Widget app) {}
