"""Making the image of a lab anew from its sources, when a part of it has been written."""

from idtviz.lab.building.build import Built, build, todo_files
from idtviz.lab.building.complaints import BuildError, Complaint
from idtviz.lab.building.limits import Limits

__all__ = ["BuildError", "Built", "Complaint", "Limits", "build", "todo_files"]
