"""Rules over what happened: bugs in tables, in handler stubs and in what handlers do, named with what to change."""
