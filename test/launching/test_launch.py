# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The launch files run with launch, if it is installed."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from published import published_bundle
import pytest
from sourced import source_rviz

from hydranet_ros.launching.process_specs import LAUNCH_ARGUMENTS
from hydranet_ros.model.bundle import save_bundle
from hydranet_ros.resources import share_directory

REASON = 'launch comes with a distribution'
launch = pytest.importorskip('launch', reason=REASON)
launch_ros = pytest.importorskip('launch_ros', reason=REASON)
packages = pytest.importorskip('ament_index_python.packages', reason=REASON)

LAUNCH_FILE = share_directory() / 'launch' / 'hydranet.launch.py'
DEADLINE = 60.0


def load(path):
    """Import a launch file."""
    spec = spec_from_file_location(Path(path).stem.replace('.', '_'), path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_arguments_are_declared():
    description = load(LAUNCH_FILE).generate_launch_description()
    declared = [
        e for e in description.entities if isinstance(e, launch.actions.DeclareLaunchArgument)
    ]
    assert [argument.name for argument in declared] == list(LAUNCH_ARGUMENTS)


def test_processes_become_actions(tmp_path, monkeypatch):
    context = launch.LaunchContext()
    values = {name: default for name, (default, _) in LAUNCH_ARGUMENTS.items()}
    context.launch_configurations.update({**values, 'rviz': 'true', 'namespace': 'robot'})
    source_rviz(monkeypatch, tmp_path)
    node, rviz = load(LAUNCH_FILE).start_processes(context)
    assert (node.node_package, node.node_executable) == ('hydranet_ros', 'perception_node')
    assert (rviz.node_package, rviz.node_executable) == ('rviz2', 'rviz2')


def test_the_node_starts_and_ends_cleanly(tmp_path):
    if 'hydranet_ros' not in packages.get_packages_with_prefixes():
        pytest.skip('needs the package installed: colcon build, source install/setup.bash')
    model = save_bundle(tmp_path / 'model.safetensors', published_bundle()).path
    shutdown = launch.actions.EmitEvent(event=launch.events.Shutdown(reason='the test is done'))
    output, exit_codes = [], []

    def on_output(event):
        output.append(event.text.decode())
        return [shutdown] if 'Configured in' in ''.join(output) else None

    def on_exit(event, _context):
        exit_codes.append(event.returncode)

    service = launch.LaunchService()
    service.include_launch_description(
        launch.LaunchDescription(
            [
                launch.actions.RegisterEventHandler(
                    launch.event_handlers.OnProcessIO(on_stdout=on_output, on_stderr=on_output)
                ),
                launch.actions.RegisterEventHandler(
                    launch.event_handlers.OnProcessExit(on_exit=on_exit)
                ),
                launch.actions.IncludeLaunchDescription(
                    launch.launch_description_sources.PythonLaunchDescriptionSource(
                        str(LAUNCH_FILE)
                    ),
                    launch_arguments={'model': str(model), 'namespace': 'robot'}.items(),
                ),
                launch.actions.TimerAction(period=DEADLINE, actions=[shutdown]),
            ]
        )
    )
    assert service.run() == 0
    assert exit_codes == [0], ''.join(output)
    assert '[robot.perception_node]: Configured in' in ''.join(output)
