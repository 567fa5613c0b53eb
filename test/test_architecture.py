# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The rules of the architecture: every module has a room, which imports only from floors below.

The modules are found on disk. Each rule is a function, so that tests can check that it fails.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
import subprocess
import sys

from checkout import CHECKOUT
import pytest

PACKAGE = CHECKOUT / 'hydranet_ros'
HALL = {'errors', 'resources'}
FLOORS = {
    'messages': 1,
    'camera': 1,
    'model': 2,
    'launching': 2,
    'runtime': 3,
    'data': 3,
    'bags': 4,
    'pictures': 4,
    'evaluation': 5,
    'training': 6,
    'node': 6,
    'cli': 7,
}
WITHOUT_TORCH = {
    'hydranet_ros.model': {
        'deployed_graph',
        'encoder_layers',
        'export',
        'network',
        'rewrites',
        'torch_files',
    },
    'hydranet_ros.runtime.backends': {'torch_backend', 'torch_compile_backend'},
    'hydranet_ros.runtime': {'quantization'},
}
"""Modules of the rooms below that need torch when they are imported; the others must not."""
ROOMS_WITHOUT_TORCH = set(FLOORS) - {'training', 'node'}
NEEDS_LAUNCH = 'hydranet_ros.launching.launch_actions'
"""The only module that needs launch_ros, which imports rclpy."""
IMPORT_ALL = """
import importlib, sys
sys.modules['torch'] = sys.modules['rclpy'] = None
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name.split('.')[0] in ('torch', 'rclpy', 'hydranet_ros'):
            raise
"""
"""A robot may lack other packages, e.g. matplotlib; CI has all of them."""

Modules = Mapping[str, str]
"""Name of each module to its source."""


def read_modules(package: Path = PACKAGE) -> dict[str, str]:
    """Return the sources of all modules on disk."""
    modules = {}
    for path in sorted(package.rglob('*.py')):
        parts = path.relative_to(package.parent).with_suffix('').parts
        modules['.'.join(parts).removesuffix('.__init__')] = path.read_text(encoding='utf-8')
    return modules


def imports_of(source: str) -> Iterator[str]:
    """Yield what a module imports, at any depth; of ``from a import b`` both a and a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, 'relative import'
            assert node.module is not None
            yield node.module
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def room_of(module: str) -> str:
    """Return the room of a module, or its name if it is in no room."""
    return module.split('.')[1] if '.' in module else ''


def homeless(modules: Modules) -> list[str]:
    """Return the modules that must be in a room but are not."""
    known = {'', *HALL, *FLOORS}
    return [module for module in modules if room_of(module) not in known]


def wrong_ways(modules: Modules) -> list[str]:
    """Return the imports from floors above or from another room of the same floor."""
    floors = {'': 0, **dict.fromkeys(HALL, 0), **FLOORS}
    return [
        f'{module} imports {name}'
        for module, source in modules.items()
        for name in set(imports_of(source)) & set(modules)
        if room_of(module) != room_of(name)
        and floors.get(room_of(name), 99) >= max(floors.get(room_of(module), -1), 1)
    ]


def circle(modules: Modules) -> list[str]:
    """Return the modules of a circular import, if there is one."""
    graph = {
        module: {
            name
            for name in set(imports_of(source)) & set(modules)
            if name != module and not module.startswith(f'{name}.')
        }
        for module, source in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def outside_node(modules: Modules) -> list[str]:
    """Return the modules outside ``node`` that import rclpy."""
    return [
        module
        for module, source in modules.items()
        if room_of(module) != 'node'
        and any(name.split('.')[0] == 'rclpy' for name in imports_of(source))
    ]


MODULES = read_modules()


def test_every_module_has_a_room() -> None:
    assert homeless(MODULES) == []


def test_imports_go_down() -> None:
    assert wrong_ways(MODULES) == []


def test_no_circle() -> None:
    assert circle(MODULES) == []


def test_only_the_node_imports_rclpy() -> None:
    assert outside_node(MODULES) == []


@pytest.mark.parametrize(
    ('module', 'source', 'rule'),
    [
        ('hydranet_ros.loose', '', homeless),
        ('hydranet_ros.cellar.thing', '', homeless),
        ('hydranet_ros.model.up', 'from hydranet_ros.runtime import predictor', wrong_ways),
        ('hydranet_ros.bags.aside', 'import hydranet_ros.pictures.render', wrong_ways),
        ('hydranet_ros.errors', 'from hydranet_ros.resources import PACKAGE', circle),
        (
            'hydranet_ros.camera.late',
            'def f():\n    import hydranet_ros.messages.stamps',
            wrong_ways,
        ),
        ('hydranet_ros.camera.camera', 'import hydranet_ros.camera.points', circle),
        ('hydranet_ros.launching.fast', 'from rclpy.node import Node', outside_node),
    ],
)
def test_a_broken_rule_is_found(module: str, source: str, rule) -> None:
    """Each rule must find a violation."""
    assert rule({**MODULES, module: source})


def test_a_new_file_is_seen(tmp_path: Path) -> None:
    (tmp_path / 'hydranet_ros').mkdir()
    (tmp_path / 'hydranet_ros' / 'loose.py').write_text('')
    assert homeless(read_modules(tmp_path / 'hydranet_ros')) == ['hydranet_ros.loose']


def _needs_torch(module: str) -> bool:
    package, _, name = module.rpartition('.')
    return name in WITHOUT_TORCH.get(package, ())


def test_only_what_computes_with_torch_imports_it() -> None:
    """The node must start on a robot with only ONNX Runtime or OpenVINO."""
    names = [
        module
        for module in MODULES
        if room_of(module) in {*ROOMS_WITHOUT_TORCH, *HALL}
        and not _needs_torch(module)
        and module != NEEDS_LAUNCH
    ]
    subprocess.run([sys.executable, '-c', IMPORT_ALL, *names], check=True)


def test_files_stay_small() -> None:
    large = {
        module: lines
        for module, source in MODULES.items()
        if (lines := len(source.splitlines())) > 400
    }
    assert not large
