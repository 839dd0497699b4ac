"""Build the documentation site: `python -m scripts.build_docs build/docs`. Needs the extra `docs`.

The site opens from disk, without a server and without a network; its search works there, too.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from sphinx.cmd.build import build_main

ROOT = Path(__file__).resolve().parent.parent


def build(folder: Path) -> int:
    """Write the site to the folder. A warning, such as a link without a target, makes the answer 1."""
    kept = folder.with_name(f".{folder.name}-doctrees")
    # jsonschema, which reads the tutorials, would make 38 parsers with it, for seconds.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    gc.disable()  # a fifth of the time goes into looking for garbage in trees that stay to the end
    options = ["-q", "-W", "--keep-going", "-b", "html", "-d", str(kept)]
    return int(build_main([*options, str(ROOT / "docs"), str(folder)]))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    if code := build(target):
        sys.exit(code)
    print(f"Open {target / 'index.html'}")
