"""idtviz: a time-travelling debugger for the moment in which an x86 processor enters a handler."""
