"""What this machine does not model, said in one kind of exception."""


class UnsupportedError(Exception):
    """The guest asked for something that this machine does not model; the message says what.

    The machine stands in front of what it could not do, and stays there.
    """
