# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The README says what the code does."""

import re

from checkout import CHECKOUT
import pytest

from hydranet_ros.cli.main import COMMANDS

README = (CHECKOUT / 'README.md').read_text()
DOCUMENTS = [CHECKOUT / 'README.md', *sorted((CHECKOUT / 'docs').rglob('*.md'))]


def _section(name):
    """Return what stands between a pair of markers."""
    found = re.search(rf'<!-- {name}:[^\n]*-->\n(.*?)<!-- end of {name} -->', README, re.DOTALL)
    assert found, f'README.md has no section {name}'
    return found.group(1).strip()


def test_table_of_topics():
    pytest.importorskip('sensor_msgs', reason='no ROS 2 messages are installed')
    from hydranet_ros.node.perception.outputs import markdown_table

    assert _section('topics') == markdown_table().strip()


def test_table_of_parameters():
    from hydranet_ros.node.perception.parameters import markdown_table

    assert _section('parameters') == markdown_table().strip()


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    links = re.findall(r'\]\(([^)#\s]+)\)', document.read_text())
    missing = [
        link
        for link in links
        if not link.startswith('http') and not (document.parent / link).exists()
    ]
    assert not missing


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda path: path.name)
def test_commands_exist(document):
    text = document.read_text()
    commands = set(re.findall(r'^\S*hydranet ([a-z-]+)', text, re.MULTILINE))
    commands |= set(re.findall(r'`hydranet ([a-z-]+)', text))
    assert commands <= COMMANDS.keys()
    targets = set(re.findall(r'\bmake ([a-z-]+)', ' '.join(re.findall(r'`[^`]+`', text))))
    makefile = (CHECKOUT / 'Makefile').read_text()
    assert all(re.search(rf'^{target}:', makefile, re.MULTILINE) for target in targets)
