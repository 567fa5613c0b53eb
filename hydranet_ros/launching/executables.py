# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Entry point of the nodes' executables: imports nothing that may be missing."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
import sys

from hydranet_ros.errors import missing_package
from hydranet_ros.launching.process_specs import EXECUTABLES


def main() -> int:
    """Run the node that this process is named after; return its exit status."""
    name = Path(sys.argv[0]).name
    try:
        return int(import_module(EXECUTABLES[name]).main())
    except ImportError as error:
        print(f'{name}: {missing_package(error)}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # during the imports; later the node handles it
        return 0
