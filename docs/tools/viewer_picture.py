# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Take a picture of ``hydranet view`` in a headless Chromium.

    python docs/tools/viewer_picture.py FILE.png MODEL INPUT [options of hydranet view]
"""

from pathlib import Path
import subprocess
import sys
import tempfile
import time

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / 'test'))

from browser import CHROMIUM, running_browser  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

WEB_PORT, DATA_PORT = 9390, 9676
WIDTH = 1200
SETTLED_AFTER, PATIENCE = 3, 240.0
"""Number of equal pictures after which drawing has finished, and seconds to wait for them."""


def main() -> int:
    """Serve the viewer, wait until its picture no longer changes, and write the picture."""
    if CHROMIUM is None:
        print('Chromium is not installed.', file=sys.stderr)
        return 1
    command = [sys.executable, '-m', 'hydranet_ros.cli.main', 'view', *sys.argv[2:], '--web']
    ports = ['--web-port', str(WEB_PORT), '--data-port', str(DATA_PORT)]
    server = subprocess.Popen([*command, *ports], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        lines = iter(server.stdout.readline, '')
        address = next(line for line in lines if line.startswith('Open ')).split()[1]
        next(line for line in lines if line.startswith('All views'))
        with tempfile.TemporaryDirectory() as profile, running_browser(profile) as browser:
            browser.open(f'{address}&renderer=webgl')
            picture = settled(browser)
        write_small(Path(sys.argv[1]), picture)
    finally:
        server.terminate()
        server.wait()
    return 0


def write_small(path, picture):
    """Write a picture for a README: fewer pixels and 256 colours."""
    height, width = picture.shape[:2]
    size = (WIDTH, round(height * WIDTH / width))
    small = Image.fromarray(np.ascontiguousarray(picture)).resize(size, Image.Resampling.LANCZOS)
    # Dithered: without dithering, depth would have bands.
    small.quantize(palette=small.quantize(256)).save(path, optimize=True)


def settled(browser):
    """Return the page's picture when it shows something and no longer changes."""
    deadline, equal, last = time.monotonic() + PATIENCE, 0, None
    while equal < SETTLED_AFTER and time.monotonic() < deadline:
        time.sleep(2)
        picture = browser.screenshot()
        drawn = len(np.unique(picture.reshape(-1, 3), axis=0)) > 10_000
        same = last is not None and np.array_equal(last[100:-100], picture[100:-100])
        equal = equal + 1 if drawn and same else 0
        last = picture
    return last


if __name__ == '__main__':
    sys.exit(main())
