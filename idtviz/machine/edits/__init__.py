"""What a person may change in the machine from outside, at any moment, and what must be refused.

An edit goes by the rules of the processor and of the chips: what they would not take is refused with their words. It
has the same effect wherever it is made again, so that a recorded one can be replayed.
"""
