# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Resolve the .in files beside this one into fully pinned requirements, without installing."""

import json
from pathlib import Path
import subprocess
import sys

HERE = Path(__file__).resolve().parent
HEADER = '# Made by `make pin` from {name}.in; do not edit.\n'


def resolve(*names: str) -> dict[str, str]:
    """Return the versions of all packages that these .in files resolve to."""
    command = [sys.executable, '-m', 'pip', 'install', '--quiet', '--dry-run']
    command += ['--ignore-installed', '--report', '-']
    for name in names:
        command += ['-r', str(HERE / f'{name}.in')]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    found = (item['metadata'] for item in report['install'])
    # A local version such as +cpu names a build that other machines need not have.
    return {item['name']: item['version'].split('+')[0] for item in found}


def write(name: str, versions: dict[str, str]) -> None:
    """Write one pinned file."""
    lines = [f'{package}=={version}\n' for package, version in versions.items()]
    text = HEADER.format(name=name) + ''.join(sorted(lines, key=str.lower))
    (HERE / f'{name}.txt').write_text(text)


runtime = resolve('requirements')
everything = resolve('requirements', 'requirements-dev')
clashes = {p for p, v in runtime.items() if everything[p] != v}
if clashes:
    sys.exit(f'The development tools want other versions of: {", ".join(sorted(clashes))}.')
write('requirements', runtime)
write('requirements-dev', {p: v for p, v in everything.items() if p not in runtime})
