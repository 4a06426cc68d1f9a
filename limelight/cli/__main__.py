"""``python -m limelight.cli``: the command where it is not on the path."""

from limelight.cli.main import main

if __name__ == "__main__":
    main()
