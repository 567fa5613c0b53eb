# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Send one image to a perception node over DDS, and draw all that it publishes.

    python docs/tools/outputs_picture.py FILE.png MODEL LABEL_SET IMAGE FX DEPTH_MAXIMUM
"""

from dataclasses import replace
import os
from pathlib import Path
import sys
import tempfile

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(CHECKOUT / 'test'), str(CHECKOUT / 'test' / 'system')]
os.environ |= {'ROS_DOMAIN_ID': '87', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image as PillowImage  # noqa: E402
from ros_client import FRAME_ID, pixels, RosClient, with_header  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2  # noqa: E402

from hydranet_ros.camera.points import POINT  # noqa: E402
from hydranet_ros.data.sample_source import open_samples  # noqa: E402
from hydranet_ros.launching.process_group import ProcessGroup  # noqa: E402
from hydranet_ros.launching.process_specs import perception_process  # noqa: E402
from hydranet_ros.pictures.panels import label_corner  # noqa: E402
from hydranet_ros.pictures.point_renderer import draw_points, look_at  # noqa: E402

TYPES = {
    'overlay': Image,
    'segmentation': Image,
    'segmentation/color': Image,
    'segmentation/compressed': CompressedImage,
    'confidence': Image,
    'depth/color': Image,
    'points': PointCloud2,
}
WIDTH = 400
# Position and target of the camera that draws the cloud, in multiples of the median depth.
EYE, TARGET = (0.3, -0.4, -0.2), (0.0, 0.05, 0.9)


def main():
    """Run the node, exchange one image, and write the picture."""
    path, model, label_set, image, fx, depth_maximum = sys.argv[1:]
    view = next(open_samples(image, focal_length=float(fx)).samples())
    parameters = {
        **{'model': str(Path(model).resolve()), 'label_set': label_set, 'confidence': True},
        **{'overlay_legend': True, 'depth_color_maximum': float(depth_maximum)},
        **{'backend': 'torch', 'device': 'cpu'},
    }
    with tempfile.TemporaryDirectory() as folder, ProcessGroup(Path(folder), {}) as group:
        group.start(replace(perception_process(), parameters=parameters))
        client = RosClient()
        try:
            client.until(lambda: client.state() == 'active', 'the node to become active', 120)
            received = {topic: client.subscribe(kind, topic) for topic, kind in TYPES.items()}
            answers = exchange(client, view, received)
        finally:
            client.close()
    write(Path(path), view, answers)


def exchange(client, view, received):
    """Send the image and its calibration until all outputs have arrived."""
    message = client.image(view.image, FRAME_ID)
    matrix = view.camera.matrix
    info = CameraInfo(
        header=message.header,
        width=message.width,
        height=message.height,
        k=matrix.reshape(-1),
        p=np.hstack([matrix, np.zeros((3, 1))]).reshape(-1),
    )

    def answers():
        client.camera_infos.publish(info)
        client.images.publish(message)
        found = {topic: with_header(came, message.header) for topic, came in received.items()}
        return None if None in found.values() else found

    return client.until(answers, 'all outputs', 120)


def write(path, view, answers):
    """Lay the outputs out in two rows."""
    packed = np.frombuffer(answers['segmentation/compressed'].data, np.uint8)
    labels = pixels(answers['segmentation'])
    assert (cv2.imdecode(packed, cv2.IMREAD_UNCHANGED) == labels).all()
    panels = {
        'image': view.image,
        'overlay': pixels(answers['overlay']),
        'segmentation/color': pixels(answers['segmentation/color']),
        'depth/color': pixels(answers['depth/color']),
        'confidence': np.repeat(pixels(answers['confidence'])[..., None], 3, axis=2),
        'points': draw_cloud(answers['points'], view.camera),
    }
    size = (WIDTH, round(WIDTH * view.camera.height / view.camera.width))
    cells = []
    for name, picture in panels.items():
        cell = np.ascontiguousarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
        label_corner(cell, name)
        cells.append(cell)
    sheet = np.vstack([np.hstack(cells[:3]), np.hstack(cells[3:])])
    full = PillowImage.fromarray(sheet)
    # 256 colours, dithered: without dithering, depth would have bands.
    full.quantize(palette=full.quantize(256)).save(path, optimize=True)


def draw_cloud(message, camera):
    """Draw a cloud from beside and above the camera."""
    cloud = np.frombuffer(message.data, POINT).reshape(-1)
    points = np.stack([cloud[axis] for axis in 'xyz'], axis=1)
    seen = np.isfinite(points[:, 0])
    colors = np.ascontiguousarray(cloud['rgb']).view(np.uint8).reshape(-1, 4)[:, 2::-1]
    depth = float(np.median(points[seen, 2]))
    pose = look_at(depth * np.array(EYE), depth * np.array(TARGET), np.array([0.0, -1.0, 0.0]))
    size = 1.6 * depth / camera.matrix[0, 0]
    return draw_points(points[seen], colors[seen], camera, pose, size=size)


if __name__ == '__main__':
    main()
