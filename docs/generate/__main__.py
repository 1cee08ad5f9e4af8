"""`python -m docs.generate`: write build/docs/site/index.html."""

from __future__ import annotations

import argparse
from pathlib import Path

from docs.generate.site import ROOT, build

parser = argparse.ArgumentParser(description="Build the docs.")
parser.add_argument("--to", type=Path, default=ROOT / "build" / "docs", help="the folder to build in")
print(f"Wrote {build(parser.parse_args().to) / 'index.html'}")
