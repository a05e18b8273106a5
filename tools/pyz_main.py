"""What `python3 csijournal.pyz` runs: also a Python that is too old must be able to read it."""

import sys

if sys.version_info < (3, 9):  # noqa: UP036 - the file comes without the check that pip makes
    sys.stderr.write(
        "csijournal: error: this is Python %d.%d, and csijournal needs 3.9 or newer;"  # noqa: UP031
        " a newer toolbox image has one, and works on an older cluster\n" % sys.version_info[:2]
    )
    sys.exit(2)

from csijournal.cli import main

main([sys.executable, sys.argv[0]])
