"""Trying a bare handler: a machine around it, a program that it interrupts, and what comes of that."""

from idtviz.lab.harness.checking import check_object

__all__ = ["check_object"]
