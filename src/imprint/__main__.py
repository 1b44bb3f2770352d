"""Run the command line with `python -m imprint`."""

from __future__ import annotations

from imprint.cli import main

if __name__ == "__main__":
    main()
