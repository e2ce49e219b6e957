"""Bare interrupt handlers: compiled but not linked, laid out in memory so that they can be called."""

from idtviz.machine.objects.loaded import Kind, LoadedObject, ObjectSymbol, Piece, Undefined, Use
from idtviz.machine.objects.loading import load
from idtviz.machine.objects.problem import ObjectError
from idtviz.machine.objects.vector_names import vector_of_name

__all__ = ["Kind", "LoadedObject", "ObjectError", "ObjectSymbol", "Piece", "Undefined", "Use", "load", "vector_of_name"]
