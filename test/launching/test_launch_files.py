# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The launch files agree with the process specs; this needs no ``launch``.

They are read as source code; ``test_launch.py`` runs them with ``launch``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
import subprocess
import sys

from checkout import CHECKOUT
from evaluated_bags import make_bag
from published import published_bundle
import pytest
from sourced import source_rviz

from hydranet_ros.evaluation import replay_plan
from hydranet_ros.evaluation.replay_plan import plan_replay
from hydranet_ros.launching import process_specs
from hydranet_ros.launching.process_specs import (
    EXECUTABLES,
    LAUNCH_ARGUMENTS,
    launched_processes,
    ProcessSpec,
    REPLAY_ARGUMENTS,
)
from hydranet_ros.launching.replay_processes import Replay
from hydranet_ros.model.bundle import save_bundle
from hydranet_ros.node.perception.parameters import user_parameters
from hydranet_ros.resources import config_path, share_directory

ACTIONS = CHECKOUT / 'hydranet_ros' / 'launching' / 'launch_actions.py'
# Launch file to its table of arguments and the function that returns its processes.
FILES = {
    'hydranet': ('LAUNCH_ARGUMENTS', 'launched_processes'),
    'replay': ('REPLAY_ARGUMENTS', 'planned_replay'),
}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding='utf-8'))


def launch_file(name: str) -> ast.Module:
    return parse(CHECKOUT / 'launch' / f'{name}.launch.py')


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Yield the calls of a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == name:
            yield node


def argument_names(tree: ast.AST) -> set[str]:
    """Return the launch arguments that code reads: ``arguments['x']``, ``f(arguments, 'x')``."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            source, key = node.value, node.slice
        elif isinstance(node, ast.Call) and len(node.args) == 2:
            source, key = node.args
        else:
            continue
        if getattr(source, 'id', '') == 'arguments' and isinstance(key, ast.Constant):
            found.add(key.value)
    return found


@pytest.fixture(scope='module')
def specs(tmp_path_factory: pytest.TempPathFactory) -> list[ProcessSpec]:
    """Return all processes of the launch files, with every argument set."""
    folder = tmp_path_factory.mktemp('replay')
    model = save_bundle(folder / 'model.safetensors', published_bundle('kitti6')).path
    given = {name: default for name, (default, _) in REPLAY_ARGUMENTS.items()}
    given |= {'bag': str(make_bag(folder / 'bag', 2)), 'model': str(model)}
    defaults = {name: default for name, (default, _) in LAUNCH_ARGUMENTS.items()}
    everything = {name: default or name for name, default in defaults.items()}
    everything |= {'params_file': str(config_path('hydranet.yaml')), 'autostart': 'false'}
    everything['working_width'] = 'native'
    with pytest.MonkeyPatch.context() as patch:
        source_rviz(patch, folder)
        replays = [
            plan_replay({**given, 'record': 'out', 'rviz': 'true', 'lock_step': lock_step})
            for lock_step in ('true', 'false')
        ]
        launched = launched_processes({**everything, 'rviz': 'true', 'use_sim_time': 'true'})
    return [*launched, *(spec for replay in replays for spec in replay.processes)]


def test_every_launch_file_is_checked() -> None:
    names = {path.name.removesuffix('.launch.py') for path in (CHECKOUT / 'launch').iterdir()}
    assert names - {'__pycache__'} == set(FILES)


@pytest.mark.parametrize('name', FILES)
def test_what_is_imported_from_the_package_exists(name: str) -> None:
    defined = {node.name for node in parse(ACTIONS).body if isinstance(node, ast.FunctionDef)}
    imports = [
        node
        for node in ast.walk(launch_file(name))
        if isinstance(node, ast.ImportFrom) and node.module.startswith('hydranet_ros')
    ]
    assert imports
    for node in imports:
        if node.module == 'hydranet_ros.launching.launch_actions':  # it needs launch
            assert {alias.name for alias in node.names} <= defined
        else:
            assert all(hasattr(import_module(node.module), alias.name) for alias in node.names)


@pytest.mark.parametrize('name', FILES)
def test_launch_files_import_what_every_ros_installation_has(name: str) -> None:
    # `ros2 launch` runs in the system's Python, which may lack NumPy, rosbags, safetensors, ...
    modules = {
        node.module
        for tree in (launch_file(name), parse(ACTIONS))
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.startswith('hydranet_ros')
    } - {'hydranet_ros.launching.launch_actions'}
    program = f"""
import sys
allowed = {{'yaml', '_yaml', 'hydranet_ros', *sys.stdlib_module_names}}
class Blocker:
    def find_spec(name, path, target=None):
        if name.partition('.')[0] not in allowed:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocker)
import {', '.join(modules)}
"""
    subprocess.run([sys.executable, '-c', program], check=True, cwd=CHECKOUT)


@pytest.mark.parametrize('name', FILES)
def test_declared_arguments_are_those_that_processes_are_made_of(name: str) -> None:
    table, planner = FILES[name]
    tree = launch_file(name)
    (declared,) = calls(tree, 'declare_arguments')
    (taken,) = calls(tree, 'argument_values')
    assert [declared.args[0].id, taken.args[1].id] == [table, table]
    (planned,) = calls(tree, planner)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert list(functions) == ['generate_launch_description', 'start_processes']
    assert planned in list(ast.walk(functions['start_processes']))
    (started,) = calls(tree, 'OpaqueFunction')
    assert {keyword.arg: keyword.value.id for keyword in started.keywords} == {
        'function': 'start_processes'
    }
    source = process_specs if planner == 'launched_processes' else replay_plan
    read = argument_names(parse(Path(source.__file__)))
    assert read == set(getattr(process_specs, table))


def test_a_replay_starts_all_of_its_processes() -> None:
    used = {
        node.attr
        for node in ast.walk(launch_file('replay'))
        if isinstance(node, ast.Attribute) and getattr(node.value, 'id', '') == 'replay'
    }
    assert used == set(Replay.__dataclass_fields__) - {'duration'}


@pytest.mark.parametrize('name', FILES)
def test_every_process_becomes_an_action(name: str) -> None:
    assert list(calls(launch_file(name), 'node_action'))


def test_launch_actions_pass_on_all_of_a_process() -> None:
    tree = parse(ACTIONS)
    (action,) = calls(tree, 'Node')
    passed = {keyword.arg for keyword in action.keywords}
    assert passed >= {'package', 'executable', 'name', 'namespace', 'parameters', 'remappings'}
    assert passed >= {'arguments', 'ros_arguments', 'respawn'}
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {*ProcessSpec.__dataclass_fields__, 'log_arguments'} - {'log_level'} <= used


def declared_parameters(executable: str) -> set[str]:
    """Return the parameters of an executable; the bag tools' modules need rclpy to be imported."""
    if executable == 'perception_node':
        return {parameter.name for parameter in user_parameters()}
    tree = parse(CHECKOUT / f'{EXECUTABLES[executable].replace(".", "/")}.py')
    (table,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == 'PARAMETERS'
    )
    return {key.value for key in table.keys}


def test_parameters_of_processes_are_declared(specs: list[ProcessSpec]) -> None:
    ours = [spec for spec in specs if spec.executable in EXECUTABLES]
    assert {spec.executable for spec in ours} == set(EXECUTABLES)
    for spec in ours:
        assert spec.parameters.keys() <= declared_parameters(spec.executable) | {'use_sim_time'}


def test_files_of_processes_are_installed(specs: list[ProcessSpec]) -> None:
    (folders,) = (
        ast.literal_eval(node.value)
        for node in parse(CHECKOUT / 'setup.py').body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == 'SHARED_FOLDERS'
    )
    assert 'launch' in folders
    shared = []
    profile = config_path('fastdds_images.xml')
    for spec in specs:
        values = (*spec.parameter_files, *spec.arguments, profile)
        paths = [Path(value) for value in values if Path(value).is_absolute()]
        shared += [path for path in paths if path.is_relative_to(share_directory())]
    assert {path.suffix for path in shared} == {'.yaml', '.rviz', '.xml'}
    for path in shared:
        assert path.is_file()
        assert path.relative_to(share_directory()).parts[0] in folders
