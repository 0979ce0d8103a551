import 'dart:convert';

import 'signals.dart';

/// The most entities of one frame, and its most bytes: the server's limits.
const entitiesAtOnce = 100;
const _frameLimit = 32 * 1024;

/// The most bytes of a frame beside its entities and the positions of other logs.
const _frameWithoutEntities = 64;

/// The entities of one frame.
final class Batch {
  /// [limit] is the most entities, [beside] the further fields of the frame.
  Batch({this.limit = entitiesAtOnce, Frame beside = const {}})
    : _bytes = _frameWithoutEntities + bytesOf(jsonEncode(beside));

  final int limit;
  int _bytes;

  /// The entities with their values, as a frame has them, in order.
  final Map<String, Frame> entities = {};

  bool get isEmpty => entities.isEmpty;

  /// The ids of the entities, in order.
  List<String> get ids => entities.keys.toList();

  bool hasRoomFor(String entity, Frame value) {
    final fits = entities.length < limit && _bytes + _bytesOfMember(entity, value) <= _frameLimit;
    return isEmpty || fits;
  }

  void add(String entity, Frame value) {
    _bytes += _bytesOfMember(entity, value);
    entities[entity] = value;
  }
}

/// Returns the bytes of `"entity":{},` in a frame.
int _bytesOfMember(String entity, Frame value) =>
    bytesOf(jsonEncode(entity)) + bytesOf(jsonEncode(value)) + ':,'.length;
