# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The documentation agrees with the code: tables, links, paths, commands and names."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
import importlib.util
from pathlib import Path
import re
import subprocess
import sys

from checkout import CHECKOUT
import numpy as np
import pytest

from hydranet_ros.cli.main import build_parser, COMMANDS

DOCUMENTS = sorted(
    path
    for pattern in ('*.md', 'docs/**/*.md', 'models/*.md', 'examples/*.md', '.github/**/*.md')
    for path in CHECKOUT.glob(pattern)
)
FOLDERS = r'hydranet_ros|test|config|docs|models|launch|benchmarks|examples|\.ci|\.github'


def of_each_document(test):
    """Run a test for every document."""
    names = [str(path.relative_to(CHECKOUT)) for path in DOCUMENTS]
    return pytest.mark.parametrize('document', DOCUMENTS, ids=names)(test)


def without_fences(text: str) -> str:
    """Remove blocks of code."""
    return re.sub(r'^```.*?^```', '', text, flags=re.DOTALL | re.MULTILINE)


def code_of(text: str) -> list[str]:
    """Return blocks of code, with continued lines joined, and inline code."""
    blocks = re.findall(r'^```\w*\n(.*?)^```', text, flags=re.DOTALL | re.MULTILINE)
    spans = re.findall(r'`([^`]+)`', without_fences(text))
    return [re.sub(r'\\\n\s*', '', code) for code in (*blocks, *spans)]


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r'^#+ (.*)$', without_fences(document.read_text()), re.MULTILINE)
    plain = [re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings]
    return set(plain)


def test_tables_are_those_of_the_code():
    pytest.importorskip('sensor_msgs', reason='no ROS 2 messages are installed')
    path = CHECKOUT / 'docs' / 'tools' / 'write_tables.py'
    spec = importlib.util.spec_from_file_location('write_tables', path)
    assert spec is not None and spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    files = tables.written_files()
    assert len(files) > len(tables.TABLES)
    stale = [str(path) for path, text in files.items() if path.read_text() != text]
    assert not stale, 'run make tables'


@of_each_document
def test_links_and_anchors_resolve(document):
    text = re.sub(r'`[^`]*`', '', without_fences(document.read_text()))
    broken = []
    for link in re.findall(r'\]\(([^)\s]+)\)', text):
        path, _, anchor = link.partition('#')
        if re.match(r'[a-z]+:', path):
            continue
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@of_each_document
def test_paths_and_modules_exist(document):
    text = document.read_text()
    paths = re.findall(rf'(?<![\w/.~-])((?:{FOLDERS})/[\w./-]*\w)', text)
    missing = [path for path in paths if not (CHECKOUT / path).exists()]
    modules = re.findall(r'\bhydranet_ros(?:\.[a-z_]\w*)+', text)
    files = [CHECKOUT / module.replace('.', '/') for module in modules]
    missing += [str(f) for f in files if not (f.is_dir() or f.with_suffix('.py').is_file())]
    assert not missing


def test_new_import_paths_of_the_release_note_exist():
    rows = re.findall(
        r'^  ``hydranet_ros[\w.]*``[^`]*?(?:\(``(\w+)``\))? +``(hydranet_ros[\w.]*)``$',
        (CHECKOUT / 'CHANGELOG.rst').read_text(),
        re.MULTILINE,
    )
    assert len(rows) > 25 and ('Predictor', 'hydranet_ros.runtime.predictor') in rows
    for name, module in rows:
        path = CHECKOUT / module.replace('.', '/')
        assert path.is_dir() or path.with_suffix('.py').is_file(), module
        assert not name or re.search(rf'\b{name}\b', path.with_suffix('.py').read_text()), name


def test_code_refers_to_documents_that_exist():
    folders = ('hydranet_ros', 'test', 'config', 'benchmarks', 'docs/tools', 'examples', 'launch')
    files = [path for folder in folders for path in (CHECKOUT / folder).rglob('*')]
    files += [CHECKOUT / name for name in ('Makefile', 'pyproject.toml', 'setup.py')]
    texts = [p.read_text() for p in files if p.suffix in ('.py', '.yaml', '.toml', '')
             and p.is_file()]  # fmt: skip
    documents = {name for text in texts for name in re.findall(r'docs/[\w./]+\.md', text)}
    assert 'docs/experiments/performance.md' in documents
    assert not [name for name in documents if not (CHECKOUT / name).is_file()]


def names_that_are_missing(passage: str, pattern: str) -> tuple[int, list[str]]:
    """Count the code names in a passage, and list those that its files do not contain."""
    sources = ''
    for path in re.findall(r'`(hydranet_ros/[\w./]+)`', passage):
        found = [CHECKOUT / path, *sorted((CHECKOUT / path).rglob('*.py'))]
        sources += ''.join(file.read_text() for file in found if file.is_file())
    names = re.findall(rf'`({pattern})(?:\(\))?`', passage)
    return len(names), [
        name for name in names if not all(part in sources for part in name.split('.'))
    ]


@pytest.mark.parametrize(
    ('document', 'passages', 'pattern'),
    [
        ('docs/architecture.md', r'^\| .* \| .*`hydranet_ros/.*$', r'[A-Za-z_][\w.]*'),
        ('CONTRIBUTING.md', r'^\d\. (?:.*\n)(?:   .*\n)*', r'[A-Z][\w.]*'),
    ],
)
def test_names_are_in_the_files_named_beside_them(document, passages, pattern):
    text = (CHECKOUT / document).read_text()
    rows = re.findall(passages, text, re.MULTILINE)
    found = [names_that_are_missing(row, pattern) for row in rows]
    assert sum(count for count, _ in found) > 10
    assert not [name for _, missing in found for name in missing]


def commands_in(code: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the long options of each `hydranet` command in a piece of code."""
    pattern = r'(?:^|[\s/])hydranet (?=[a-z])([a-z-]+)([^\n#|;]*)'
    for name, rest in re.findall(pattern, code, re.MULTILINE):
        yield name, re.findall(r'(?<!\S)--[a-z-]+', rest)


def test_commands_and_their_options_exist():
    (subparsers,) = (
        action
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    used, missing = set(), []
    for document in DOCUMENTS:
        for code in code_of(document.read_text()):
            for name, options in commands_in(code):
                used.add(name)
                known = subparsers.choices[name]._option_string_actions if name in COMMANDS else {}
                missing += [(document.name, name, o) for o in options if o not in known]
    assert used == set(COMMANDS) and not missing


def test_make_targets_exist():
    code = '\n'.join(c for path in DOCUMENTS for c in code_of(path.read_text()))
    targets = set(re.findall(r'(?:^|\s)make ([a-z-]+)', code))
    makefile = (CHECKOUT / 'Makefile').read_text()
    assert {'demo', 'replay', 'test', 'tables'} <= targets
    assert targets <= set(re.findall(r'^([a-z-]+):', makefile, re.MULTILINE))


def test_pip_keeps_the_numpy_of_a_robot():
    readme = (CHECKOUT / 'README.md').read_text()
    section = readme.partition('## Quick start with ROS 2')[2].partition('\n## ')[0]
    (constraints,) = re.findall(r"^python (-c) '(.*)' > venv/constraints.txt$", section, re.M)
    assert section.index('global.constraint') < section.index('pip install')
    command = [sys.executable, *constraints]
    written = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert written.split() == [f'numpy=={np.__version__}', 'setuptools<80']
