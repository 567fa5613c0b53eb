# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Determine the code and the files that a result was made with."""

from __future__ import annotations

import ast
from functools import lru_cache
import hashlib
from importlib.util import find_spec
import os
from pathlib import Path
import subprocess
from typing import Any

from hydranet_ros.resources import files_read, PACKAGE, share_directory


@lru_cache
def sources_of(module: str) -> dict[str, Path]:
    """
    Return the source files, by module name, of a module and of all modules that it imports.

    Only modules of this package count. Indirect imports are included, and so are imports inside
    functions, even if these have not run yet.
    """
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or name.split('.')[0] != PACKAGE:
            continue
        path = _source_file(name)
        if path is None:  # not a module but an object in a module
            continue
        found[name] = path
        waiting.append(name.rpartition('.')[0])  # importing a module also runs its package
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                waiting.append(node.module)
                waiting += [f'{node.module}.{alias.name}' for alias in node.names]
    return dict(sorted(found.items()))


def _source_file(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:  # the parent is a module, not a package
        return None
    return Path(spec.origin) if spec and spec.origin else None


def source_digest(*modules: str) -> str:
    """Return one SHA-256, in hexadecimal, over all source files that the modules need."""
    files = {name: path for module in modules for name, path in sources_of(module).items()}
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        digest.update(f'{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n'.encode())
    return digest.hexdigest()


def provenance_of(*modules: str) -> dict[str, Any]:
    """
    Describe the code and the input files of a result, in JSON types.

    Call this before a long computation, because the code may change meanwhile.

    Returns
    -------
    dict
        ``commit``, see :func:`commit_of`; ``code``, the digest of the source files; ``files``, the
        SHA-256 of each configuration and weights file read so far.

    """
    sources = [path for module in modules for path in sources_of(module).values()]
    files = files_read()
    return {
        'commit': commit_of(*sources, *files),
        'code': source_digest(*modules)[:16],
        'files': {_portable_name(path): digest[:16] for path, digest in files.items()},
    }


def _portable_name(path: Path) -> str:
    """Return a file's path relative to the share directory, or its name if it is elsewhere."""
    share = share_directory().resolve()
    return str(path.relative_to(share)) if path.is_relative_to(share) else path.name


def commit_of(*paths: str | Path) -> str:
    """
    Return the commit of the running code.

    " with changes" is appended if one of the paths differs from the commit. Paths are files or git
    pathspecs; files outside the repository are ignored. Without a git repository, e.g. in a
    container, the environment variable HYDRANET_COMMIT is returned, or '' if it is not set.
    """
    root = share_directory().resolve()
    specs = [
        str(path) for path in paths if isinstance(path, str) or path.resolve().is_relative_to(root)
    ]
    commit = _git(root, 'rev-parse', 'HEAD')
    if not commit:
        return os.environ.get('HYDRANET_COMMIT', '')
    changed = specs and _git(root, 'status', '--porcelain', '--', *specs)
    return f'{commit} with changes' if changed else commit


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ['git', '-C', str(root), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return ''
    return done.stdout.strip() if done.returncode == 0 else ''
