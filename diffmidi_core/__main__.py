"""`python -m diffmidi_core` is `diffmidi`."""

from diffmidi_core.cli import main

if __name__ == "__main__":
    main()
