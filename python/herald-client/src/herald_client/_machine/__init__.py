"""The rules of docs/clients.md as a state machine.

It receives inputs with their time and returns effects; it owns no socket and no clock. Its files have the names of the
other clients', and all run the same cases.
"""

from .machine import Machine

__all__ = ["Machine"]
