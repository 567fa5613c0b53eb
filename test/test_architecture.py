# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The rules of the house: who may import whom."""

import ast
import subprocess
import sys

from checkout import CHECKOUT
import pytest

PACKAGE = CHECKOUT / 'hydranet_ros'
FOUNDATION = {'errors', 'resources', 'network', 'labels', 'geometry', 'render', 'tasks'}
"""Modules that import nothing of ours but one another."""
TOPS = {'node', 'evaluation', 'training', 'cli'}
"""Subpackages that build on the core and not on each other."""
ALLOWED = {
    ('training', 'evaluation'),
    ('node', 'evaluation'),  # evaluator_node
    ('cli', 'node'),
    ('cli', 'evaluation'),
    ('cli', 'training'),
}
WITHOUT_TORCH = (
    'errors',
    'resources',
    'labels',
    'tasks',
    'geometry',
    'render',
    'bundle',
    'predictor',
    'backends',
    'deployment',
    'bags',
    'cli.main',
)


def _imports(path):
    """Yield the absolute names of all modules that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: relative import'
            yield node.module
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def _part(module):
    """Return the part of our package that a module name belongs to, None for others."""
    names = module.split('.')
    return names[1] if names[0] == 'hydranet_ros' and len(names) > 1 else None


FILES = sorted(PACKAGE.rglob('*.py'))


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix('.py')
    parts = {part for part in map(_part, _imports(path)) if part and not part.startswith('_')}
    if own in FOUNDATION:
        assert parts <= FOUNDATION, parts - FOUNDATION
    for part in parts & TOPS - {own}:
        assert (own, part) in ALLOWED, f'{own} must not import {part}'


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_node_imports_rclpy(path):
    if path.relative_to(PACKAGE).parts[0] != 'node':
        assert 'rclpy' not in {module.split('.')[0] for module in _imports(path)}


def test_the_core_imports_without_torch_and_rclpy():
    modules = [f'hydranet_ros.{name}' for name in WITHOUT_TORCH]
    program = (
        'import sys, importlib\n'
        'sys.modules["torch"] = sys.modules["rclpy"] = None\n'
        f'[importlib.import_module(name) for name in {modules}]\n'
    )
    subprocess.run([sys.executable, '-c', program], check=True)


def test_files_stay_small():
    large = {
        str(path.relative_to(PACKAGE)): lines
        for path in FILES
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not large
