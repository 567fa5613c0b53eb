# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Build description of the ament_python package."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'hydranet_ros'
HERE = Path(__file__).resolve().parent
SHARED_FOLDERS = ('launch', 'config', 'models')


def shared_files() -> list[tuple[str, list[str]]]:
    """List what goes to share/hydranet_ros, folder by folder, as data_files expects it."""
    files: list[tuple[str, list[str]]] = [
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
    ]
    for top in SHARED_FOLDERS:
        folders = {path.parent for path in (HERE / top).rglob('*') if path.is_file()}
        for folder in sorted(folders):
            if folder.name == '__pycache__':
                continue
            relative = folder.relative_to(HERE)
            names = sorted(str(relative / p.name) for p in folder.iterdir() if p.is_file())
            files.append((f'share/{PACKAGE}/{relative}', names))
    return files


setup(
    name=PACKAGE,
    version='0.1.0',
    description='Joint semantic segmentation and metric depth in one forward pass, for ROS 2',
    license='Apache-2.0',
    maintainer='The hydranet_ros Authors',
    maintainer_email='hydranet-ros@users.noreply.github.com',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={
        PACKAGE: ['py.typed'],
        f'{PACKAGE}.evaluation': ['templates/*'],
        f'{PACKAGE}.pictures': ['templates/*.jinja'],
    },
    data_files=shared_files(),
    python_requires='>=3.10',
    # On a robot, the dependencies come from rosdep and the distribution (package.xml), and pip
    # must not replace them. So the requirements of an environment without ROS are extras.
    install_requires=['setuptools'],
    extras_require={
        'runtime': [
            'numpy>=1.21',
            'opencv-python-headless>=4.5,<5',
            'Pillow',
            'PyYAML',
            'safetensors>=0.4',
            'torch>=2.1',
            'tqdm',
        ],
        'openvino': ['openvino>=2024.4'],
        'onnxruntime': ['onnxruntime>=1.18'],
        'export': ['onnx', 'nncf>=2.14', 'openvino>=2024.4'],
        'bags': ['rosbags>=0.11'],
        'training': ['lightning-fabric>=2.2', 'tensorboard', 'h5py'],
        'distillation': ['ai-edge-litert', 'onnxruntime', 'transformers'],
        'report': ['jinja2', 'matplotlib>=3.7'],
        'view': ['rerun-sdk>=0.24'],
        'reconstruction': ['scipy'],
        'test': ['pytest', 'pytest-timeout', 'hypothesis'],
    },
    entry_points={
        'console_scripts': [
            'hydranet = hydranet_ros.cli.main:main',
            'perception_node = hydranet_ros.launching.executables:main',
            'bag_player = hydranet_ros.launching.executables:main',
            'bag_recorder = hydranet_ros.launching.executables:main',
            'evaluator_node = hydranet_ros.launching.executables:main',
        ],
    },
    zip_safe=True,
)
