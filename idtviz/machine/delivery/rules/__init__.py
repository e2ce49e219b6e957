"""The rules that the steps of a delivery or a return follow: what each checks or does, why, and the manual's place.

`idtviz explain idt.limit` prints these texts; the last line of the debugger's delivery panel is one of them. A new rule
is one call in the file of its subject.
"""

from idtviz.machine.delivery.rules.entering import *
from idtviz.machine.delivery.rules.gates import *
from idtviz.machine.delivery.rules.returns import *
from idtviz.machine.delivery.rules.rule import RULES as RULES
from idtviz.machine.delivery.rules.rule import Rule as Rule
from idtviz.machine.delivery.rules.segments import *
from idtviz.machine.delivery.rules.stacks import *
from idtviz.machine.delivery.rules.tasks import *
from idtviz.machine.delivery.rules.transfers import *
