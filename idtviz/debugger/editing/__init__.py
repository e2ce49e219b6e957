"""What can be edited at a moment: paths, slots, and the inputs that change them.

    slot(session, "idt[14].dpl").input(3)      # an input for session.give

A path names a register, a field of a structure, a word of memory or a register of a chip, alike on the command line,
on the screen and in Python.
"""

from idtviz.debugger.editing.paths import GROUPS, edit_input, slot, slots
from idtviz.debugger.editing.problem import EditError
from idtviz.debugger.editing.slot import Slot
from idtviz.debugger.editing.values import parse_value

__all__ = ["GROUPS", "EditError", "Slot", "edit_input", "parse_value", "slot", "slots"]
