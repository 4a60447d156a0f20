"""`python -m foryou` is the command `foryou`."""

from __future__ import annotations

from foryou.cli import main

if __name__ == "__main__":
    main()
