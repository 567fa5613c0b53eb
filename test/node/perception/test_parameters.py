# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The table of parameters: allowed values, and agreement with node and documentation."""

import math

from hypothesis import given
from hypothesis import strategies as st
import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter
import yaml

from hydranet_ros.errors import HydranetError
from hydranet_ros.node.perception.declared_parameters import DeclaredParameters
from hydranet_ros.node.perception.parameters import (
    Change,
    PARAMETERS,
    Settings,
    user_parameters,
    yaml_file,
    yaml_value,
)
from hydranet_ros.resources import config_path

DEFAULTS = {p.name: p.default for p in user_parameters()}


def test_the_defaults_are_valid_and_complete():
    assert Settings.from_values(DEFAULTS).depth_color_maximum == DEFAULTS['depth_color_maximum']
    assert set(DEFAULTS) == set(Settings.__dataclass_fields__)


@pytest.mark.parametrize('name', sorted(PARAMETERS))
def test_every_parameter_is_explained(name):
    row = PARAMETERS[name]
    assert row.description.endswith('.')
    is_number = isinstance(row.default, int | float) and not isinstance(row.default, bool)
    assert is_number == math.isfinite(row.maximum)
    assert bool(row.unit) == (is_number and name != 'overlay_opacity')


@pytest.mark.parametrize(
    ('name', 'value', 'sentence'),
    [
        ('image_transport', 'theora', "must be one of raw, compressed, not 'theora'"),
        ('depth_encoding', '8UC1', 'must be one of 32FC1, 16UC1'),
        ('warm_up_height', 31, 'must be 32 to 8192 px, not 31'),
        ('warm_up_width', 640.0, 'must be an integer, not 640.0'),
        ('working_width', 8, 'must be -1, 0 or at least 32 px, not 8.'),
        ('working_width', -2, 'must be -1 to 8192 px, not -2'),
        ('output_size', 'half', "must be one of input, working, not 'half'"),
        ('image_timeout', 0.0, 'must be 0.1 to 3600 s, not 0'),
        ('image_timeout', float('nan'), 'must be 0.1 to 3600 s, not nan'),
        ('depth_minimum', 3, 'must be a number with a decimal point, such as 10.0, not 3'),
        ('autostart', 1, 'must be true or false, not 1'),
        ('model', True, 'must be a string, not True'),
        ('depth_color_minimum', 80.0, "'depth_color_minimum' (80 m) must be less than"),
        ('depth_maximum', 0.0, "'depth_minimum' (0 m) must be less than 'depth_maximum' (0 m)"),
    ],
)
def test_what_is_not_allowed_is_refused_in_one_sentence(name, value, sentence):
    with pytest.raises(HydranetError) as refusal:
        Settings.from_values({**DEFAULTS, name: value})
    text = str(refusal.value)
    assert sentence in text and name in text and '\n' not in text


@given(st.floats(), st.floats())
def test_a_colour_range_is_accepted_only_if_it_is_one(lower, upper):
    values = {**DEFAULTS, 'depth_color_minimum': lower, 'depth_color_maximum': upper}
    try:
        settings = Settings.from_values(values)
    except HydranetError:
        assert not 0.01 <= lower < upper <= 10000
    else:
        assert 0.01 <= settings.depth_color_minimum < settings.depth_color_maximum <= 10000


def test_the_shipped_file_is_the_table():
    text = config_path('hydranet.yaml').read_text()
    assert text == yaml_file(), 'run make tables'
    assert yaml.safe_load(text) == {'/**': {'ros__parameters': DEFAULTS}}


@pytest.mark.parametrize('value', ['', 'raw', True, False, 0, -3, 0.0, 1e4, 80.0, ('', 'a')])
def test_yaml_values_come_back_with_their_type(value):
    back = yaml.safe_load(yaml_value(value))
    expected = list(value) if isinstance(value, tuple) else value
    assert back == expected and type(back) is type(expected)


class Graph:
    """A node with our parameters, without spinning."""

    def __init__(self, overrides=()):
        self.configured = False
        self.apply = lambda settings: None
        self.node = Node(
            'parameters_test',
            context=self.context(),
            parameter_overrides=list(overrides),
            enable_rosout=False,
            start_parameter_services=False,
        )

    def context(self):
        """Return the context of this test's node."""
        self._context = rclpy.Context()
        self._context.init()
        return self._context

    def declare(self):
        """Declare the table."""
        self.parameters = DeclaredParameters(self.node, lambda: self.configured, self.apply)
        return self.parameters

    def set(self, **values):
        """Set several parameters; return the reason if they are rejected, else an empty string."""
        changes = [RosParameter(name, value=value) for name, value in values.items()]
        result = self.node.set_parameters_atomically(changes)
        return '' if result.successful else result.reason

    def close(self):
        """Remove the node."""
        self.node.destroy_node()
        self._context.shutdown()


@pytest.fixture
def graph(request):
    made = Graph(*getattr(request, 'param', ()))
    yield made
    made.close()


def test_descriptors_show_ranges_choices_and_when(graph):
    graph.declare()
    describe = graph.node.describe_parameter
    assert describe('depth_color_maximum').floating_point_range[0].to_value == 10000
    assert describe('warm_up_height').integer_range[0].from_value == 32
    assert 'raw, compressed' in describe('image_transport').additional_constraints
    assert describe('autostart').read_only
    for name, row in PARAMETERS.items():
        assert describe(name).description == row.description
        assert row.change.value in describe(name).additional_constraints


def test_live_parameters_change_while_configured(graph):
    parameters = graph.declare()
    graph.configured = True
    before = parameters.settings
    assert graph.set(depth_color_minimum=1.0, depth_color_maximum=9.0) == ''
    assert parameters.settings.depth_color_maximum == 9.0
    assert before.depth_color_maximum == DEFAULTS['depth_color_maximum']
    # Both are outside the old range, so they must be set together.
    assert graph.set(depth_color_minimum=20.0, depth_color_maximum=30.0) == ''
    assert 'must be less than' in graph.set(depth_color_minimum=31.0)
    assert parameters.settings.depth_color_minimum == 20.0


def test_others_change_only_while_unconfigured(graph):
    parameters = graph.declare()
    assert graph.set(model='first') == ''
    graph.configured = True
    reason = graph.set(model='second')
    assert "Parameter 'model' cannot change while the node is configured" in reason
    assert graph.set(model='first', image_timeout=5.0) == ''  # unchanged model
    assert parameters.settings.model == 'first' and parameters.settings.image_timeout == 5.0
    graph.configured = False
    assert graph.set(model='second') == ''
    assert parameters.settings.model == 'second'


def test_what_cannot_be_applied_is_refused(graph):
    applied = []

    def apply(settings):
        if settings.label_set == 'unknown':
            raise HydranetError('There is no such label set.')
        applied.append((settings.label_set, parameters.settings.label_set))

    graph.apply = apply
    parameters = graph.declare()
    assert graph.set(label_set='nyud40') == ''
    assert applied == [('nyud40', '')]  # before it holds
    assert graph.set(label_set='unknown', image_timeout=5.0) == 'There is no such label set.'
    assert parameters.settings.label_set == 'nyud40'
    assert parameters.settings.image_timeout == DEFAULTS['image_timeout']


def test_what_is_refused_changes_nothing(graph):
    parameters = graph.declare()
    before = parameters.settings
    for refused in (
        {'image_transport': 'theora'},
        {'depth_color_maximum': 1e9},
        {'autostart': False},
        {'class_names': ['mine']},
        {'image_timeout': 3.0, 'depth_encoding': 'mono8'},
    ):
        assert graph.set(**refused) != ''
    assert parameters.settings == before
    assert graph.node.get_parameter('class_names').value == ['']


def test_the_node_fills_in_the_class_names(graph):
    parameters = graph.declare()
    graph.configured = True
    parameters.fill('class_names', ('sky', 'road'))
    assert graph.node.get_parameter('class_names').value == ['sky', 'road']
    parameters.clear('class_names')
    assert graph.node.get_parameter('class_names').value == ['']


def test_parameters_of_others_are_left_alone(graph):
    graph.declare()
    graph.configured = True
    graph.node.declare_parameter('somebody_elses', 1)
    assert graph.set(somebody_elses=2) == ''


@pytest.mark.parametrize(
    'graph',
    [
        ([RosParameter('image_transport', value='theora')],),
        ([RosParameter('warm_up_height', value=5)],),
        ([RosParameter('warm_up_height', value='tall')],),
        ([RosParameter('depth_color_minimum', value=100.0)],),
    ],
    indirect=True,
)
def test_a_bad_value_at_start_is_named(graph):
    with pytest.raises(HydranetError) as refusal:
        graph.declare()
    (name,) = graph.node._parameter_overrides.keys() - {'use_sim_time'}
    assert name in str(refusal.value) and '\n' not in str(refusal.value)


@pytest.mark.parametrize('graph', [([RosParameter('depth_maximum', value=10)],)], indirect=True)
def test_integers_are_taken_for_doubles(graph):
    parameters = graph.declare()
    assert parameters.settings.depth_maximum == 10.0
    assert graph.set(depth_minimum=2) == ''
    assert graph.node.get_parameter('depth_minimum').type_ == RosParameter.Type.DOUBLE
    assert 'depth_maximum out of range' in graph.set(depth_maximum=20000)


@pytest.mark.parametrize(
    'graph',
    [
        (
            [
                RosParameter('depth_maxmum', value=10.0),
                RosParameter('gripper_force', value=1.0),
                RosParameter('qos_overrides./image.subscription.depth', value=2),
            ],
        )
    ],
    indirect=True,
)
def test_unknown_parameters_are_named_with_the_nearest(graph, capfd):
    graph.declare()
    warnings = capfd.readouterr().err
    assert "no parameter 'depth_maxmum': it is ignored; did you mean 'depth_maximum'?" in warnings
    assert "no parameter 'gripper_force': it is ignored." in warnings
    assert warnings.count('no parameter') == 2


def test_live_parameters_are_those_that_the_worker_reads():
    live = {p.name for p in PARAMETERS.values() if p.change is Change.LIVE}
    assert live == {
        'label_set',
        'depth_minimum',
        'depth_maximum',
        'depth_color_minimum',
        'depth_color_maximum',
        'image_rectified',
        'points_stride',
        'points_maximum_range',
        'overlay_opacity',
        'overlay_legend',
        'image_timeout',
    }
