"""`python -m idtviz`."""

from idtviz.cli.main import run

if __name__ == "__main__":
    run()
