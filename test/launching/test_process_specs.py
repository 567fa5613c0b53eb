# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Process specs: their names exist, and their values reach the command line."""

import json
import re
import sys
from xml.etree import ElementTree

from checkout import CHECKOUT
import pytest
from sourced import source_rviz
import yaml

from hydranet_ros.errors import HydranetError
from hydranet_ros.launching.process_specs import (
    command_line,
    EXECUTABLES,
    FASTDDS_VARIABLES,
    image_transport_environment,
    LAUNCH_ARGUMENTS,
    launched_processes,
    perception_process,
    ProcessSpec,
    rviz_process,
)
from hydranet_ros.resources import config_path

DEFAULTS = {name: default for name, (default, _) in LAUNCH_ARGUMENTS.items()}


def ros_arguments(command):
    """Split a command line into the part before --ros-args and pairs of option and value."""
    index = command.index('--ros-args')
    program, (_, *rest) = command[:index], command[index:]
    return program, list(zip(rest[::2], rest[1::2], strict=True))


@pytest.fixture
def installed_rviz(tmp_path, monkeypatch):
    source_rviz(monkeypatch, tmp_path)


@pytest.mark.parametrize('installed', [True, False])
def test_command_line_of_the_node(tmp_path, monkeypatch, installed):
    monkeypatch.setattr(sys, 'executable', str(tmp_path / 'python'))
    if installed:
        (tmp_path / 'perception_node').touch()
    parameters = tmp_path / 'params.yaml'
    parameters.touch()
    spec = perception_process(
        params_file=parameters,
        model='/my/model.safetensors',
        image='/camera/color/image_raw',
        namespace='robot',
        use_sim_time=True,
        log_level='debug',
    )
    command, options = ros_arguments(command_line(spec))
    module = [sys.executable, '-m', 'hydranet_ros.node.perception.perception_node']
    assert command == ([str(tmp_path / 'perception_node')] if installed else module)
    assert options == [
        ('-r', '__node:=perception_node'),
        ('-r', '__ns:=/robot'),
        ('-r', 'image:=/camera/color/image_raw'),
        ('-r', 'camera_info:=/camera/color/camera_info'),
        ('--params-file', str(parameters)),
        ('-p', 'use_sim_time:=true'),
        ('-p', 'model:="/my/model.safetensors"'),
        ('--log-level', 'robot.perception_node:=debug'),
    ]


def test_a_missing_parameter_file_is_refused(tmp_path):
    with pytest.raises(HydranetError, match=r'no parameter file /.*/nowhere\.yaml'):
        perception_process(params_file=tmp_path / 'nowhere.yaml')


@pytest.mark.parametrize(
    ('image', 'camera_info', 'expected'),
    [
        ('image', '', 'camera_info'),
        ('/camera/image_raw', '', '/camera/camera_info'),
        ('left/image_rect', '', 'left/camera_info'),
        ('/camera/image_raw', '/calibration', '/calibration'),
    ],
)
def test_camera_info_is_expected_beside_the_images(image, camera_info, expected):
    spec = perception_process(image=image, camera_info=camera_info)
    assert dict(spec.remappings) == {'image': image, 'camera_info': expected}


def test_what_is_not_given_is_not_passed_on():
    # A parameter file would override SetParameter in a launch file that includes ours.
    spec = perception_process()
    assert (spec.parameter_files, spec.parameters) == ((), {})


def test_executables_exist():
    scripts = (CHECKOUT / 'setup.py').read_text()
    declared = re.findall(r"'(\w+) = hydranet_ros\.launching\.executables:main'", scripts)
    assert declared == list(EXECUTABLES)
    for module in EXECUTABLES.values():
        assert (CHECKOUT / f'{module.replace(".", "/")}.py').is_file()
    assert {spec.executable for spec in launched_processes(DEFAULTS)} <= EXECUTABLES.keys()


def test_launch_arguments_arrive(installed_rviz):
    given = {'namespace': 'a/b', 'use_sim_time': 'true', 'model': 'm', 'respawn': 'true'}
    node, rviz = launched_processes({**DEFAULTS, 'rviz': 'True', 'autostart': 'false', **given})
    assert node.namespace == 'a/b' and node.respawn
    assert node.parameters == {'use_sim_time': True, 'autostart': False, 'model': 'm'}
    assert rviz.executable == 'rviz2' and rviz.parameters == {'use_sim_time': True}
    assert len(launched_processes(DEFAULTS)) == 1
    (node,) = launched_processes({**DEFAULTS, 'working_width': 'native'})
    assert node.parameters == {'working_width': -1}
    with pytest.raises(HydranetError, match="working width '9' is invalid"):
        launched_processes({**DEFAULTS, 'working_width': '9'})
    with pytest.raises(HydranetError, match="rviz must be true or false, not 'perhaps'"):
        launched_processes({**DEFAULTS, 'rviz': 'perhaps'})


def test_without_rviz2_the_node_starts_alone(monkeypatch, capsys):
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)
    (node,) = launched_processes({**DEFAULTS, 'rviz': 'true'})
    assert node.executable == 'perception_node'
    assert 'rviz2 is not installed' in capsys.readouterr().err


def test_strings_that_look_like_numbers_stay_strings():
    spec = ProcessSpec('other', 'program', 'name', parameters={'a': '5', 'b': 5, 'c': ['x', '1']})
    command, options = ros_arguments(command_line(spec))
    assert command == ['program']
    values = [value.split(':=', 1)[1] for option, value in options if option == '-p']
    assert [yaml.safe_load(value) for value in values] == ['5', 5, ['x', '1']]


class TestFastDdsProfile:
    """The Fast DDS profile for large images."""

    def test_is_set_unless_the_user_has_one(self, tmp_path, monkeypatch):
        profile = str(config_path('fastdds_images.xml'))
        both = dict.fromkeys(FASTDDS_VARIABLES, profile)
        new_only = {FASTDDS_VARIABLES[0]: profile}
        for name in (*FASTDDS_VARIABLES, 'AMENT_PREFIX_PATH'):
            monkeypatch.delenv(name, raising=False)
        assert image_transport_environment() in (both, new_only)
        (tmp_path / 'share' / 'fastdds').mkdir(parents=True)
        monkeypatch.setenv('AMENT_PREFIX_PATH', f'/x:{tmp_path}')
        assert image_transport_environment() == new_only
        for name in (*FASTDDS_VARIABLES, 'FASTDDS_BUILTIN_TRANSPORTS'):
            with monkeypatch.context() as patch:
                patch.setenv(name, 'mine')
                assert image_transport_environment() == {}

    def test_keeps_both_transports_and_enlarges_shared_memory(self):
        root = ElementTree.parse(config_path('fastdds_images.xml')).getroot()
        tag = '{http://www.eprosima.com}'
        transports = {
            descriptor.findtext(f'{tag}type'): descriptor
            for descriptor in root.iter(f'{tag}transport_descriptor')
        }
        assert set(transports) == {'SHM', 'UDPv4'}
        assert int(transports['SHM'].findtext(f'{tag}segment_size')) >= 2 * 2**20
        used = {e.text for e in root.find(f'.//{tag}userTransports')}
        assert used == {d.findtext(f'{tag}transport_id') for d in transports.values()}
        assert root.findtext(f'.//{tag}useBuiltinTransports') == 'false'


class TestRviz:
    """The configuration of rviz."""

    def displays(self):
        """Return topic and class of each display."""
        view = yaml.safe_load(config_path('hydranet.rviz').read_text())
        return {
            display['Topic']['Value']: display
            for display in view['Visualization Manager']['Displays']
        }

    def test_follows_namespace_and_image(self):
        spec = rviz_process(image='/camera/image_raw', namespace='robot')
        assert dict(spec.remappings) == {
            '/image': '/camera/image_raw',
            '/overlay': '/robot/overlay',
            '/depth/color': '/robot/depth/color',
            '/points': '/robot/points',
        }
        assert dict(rviz_process(image='image').remappings)['/image'] == '/image'
        assert spec.arguments == ('-d', str(config_path('hydranet.rviz')))
        assert set(self.displays()) == {source for source, _ in spec.remappings}
        assert rviz_process(fixed_frame='map').arguments == (*spec.arguments, '-f', 'map')

    def test_shows_what_the_node_publishes(self):
        pytest.importorskip('sensor_msgs', reason='ROS messages come with ROS')
        from hydranet_ros.node.perception.outputs import OUTPUTS

        published = {f'/{output.topic}': output for output in OUTPUTS}
        for topic, display in self.displays().items():
            kind = 'Image' if topic == '/image' else published[topic].message_type.__name__
            assert display['Class'] == f'rviz_default_plugins/{kind}'
            if kind == 'Image' and topic != '/image':
                assert published[topic].content.startswith('rgb8')
            if kind == 'PointCloud2':
                assert display['Color Transformer'] == 'RGB8'

    def test_needs_no_transform(self):
        # The frame of the demo's images; the launch argument replaces it.
        view = yaml.safe_load(config_path('hydranet.rviz').read_text())['Visualization Manager']
        assert view['Global Options']['Fixed Frame'] == 'camera'


class TestFoxglove:
    """The layout for Foxglove and Lichtblick."""

    LAYOUT = json.loads(config_path('foxglove_layout.json').read_text())

    def test_shows_what_the_node_publishes(self):
        pytest.importorskip('sensor_msgs', reason='ROS messages come with ROS')
        from hydranet_ros.node.perception.outputs import OUTPUTS

        kinds = {f'/{output.topic}': output.message_type.__name__ for output in OUTPUTS}
        kinds |= {'/image': 'Image', '/diagnostics': 'DiagnosticArray'}
        shown = {}
        for panel, settings in self.LAYOUT['configById'].items():
            topics = {
                'Image': lambda s: [s['imageMode']['imageTopic']],
                '3D': lambda s: list(s['topics']),
                'DiagnosticSummary': lambda s: [s['topicToRender']],
            }[panel.split('!')[0]](settings)
            shown |= {topic: kinds[topic] for topic in topics}
        assert shown == {
            '/image': 'Image',
            '/overlay': 'Image',
            '/depth/color': 'Image',
            '/points': 'PointCloud2',
            '/diagnostics': 'DiagnosticArray',
        }

    def test_every_panel_has_its_place(self):
        def panels(node):
            if isinstance(node, str):
                return [node]
            return panels(node['first']) + panels(node['second'])

        assert sorted(panels(self.LAYOUT['layout'])) == sorted(self.LAYOUT['configById'])
