# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Conversion of image messages: encodings, padding, byte order, odd sizes, invalid data."""

import array
import sys
import types

import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.encodings import ENCODINGS
from hydranet_ros.messages.images import compressed_to_rgb, image_to_rgb
from hydranet_ros.messages.planar_images import PLANAR_FORMATS
from hydranet_ros.node.perception.output_messages import array_to_image

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))
PADDING = st.integers(0, 9)


def random_rgb(height, width, seed=0):
    """Return noise."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth_rgb(height, width):
    """Return a smooth image, which a Bayer mosaic and shared colours hardly change."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    channels = [80 + 60 * np.sin(x / 40), 120 + 60 * np.cos(y / 30), 140 + 50 * np.sin(y / 50)]
    return np.stack(channels, axis=2).astype(np.uint8)


def message(pixels, encoding, *, padding=0, big_endian=False, last_row_padded=True):
    """Build an image message as a camera driver would."""
    pixels = np.asarray(pixels)
    height, width = pixels.shape[:2]
    pixels = pixels.astype(pixels.dtype.newbyteorder('>' if big_endian else '<'))
    row = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, -1)
    rows = np.full((height, row.shape[1] + padding), 0xA5, np.uint8)
    rows[:, : row.shape[1]] = row
    data = rows.tobytes()
    if padding and not last_row_padded:
        data = data[:-padding]
    return Image(
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=int(big_endian),
        step=rows.shape[1],
        data=array.array('B', data),
    )


COLOURED = sorted(name for name, pixel_format in ENCODINGS.items() if pixel_format.convert)
CODES = {
    'rgb': lambda rgb: rgb,
    'bgr': lambda rgb: rgb[..., ::-1],
    'rgba': lambda rgb: np.dstack([rgb, np.full_like(rgb[..., :1], 7)]),
    'bgra': lambda rgb: np.dstack([rgb[..., ::-1], np.full_like(rgb[..., :1], 7)]),
}


@given(SIZES, PADDING, st.sampled_from(sorted(CODES)), st.booleans(), st.booleans())
@settings(deadline=None)
def test_colours_are_exact(size, padding, name, big_endian, last_row_padded):
    rgb = random_rgb(*size)
    for bits, dtype in ((8, np.uint8), (16, np.uint16)):
        # The lower byte of 16-bit values has no effect.
        pixels = CODES[name](rgb).astype(dtype) * (1 if bits == 8 else 256) + (bits == 16) * 201
        sent = message(
            pixels.astype(dtype),
            f'{name}{bits}',
            padding=padding,
            big_endian=big_endian,
            last_row_padded=last_row_padded,
        )
        np.testing.assert_array_equal(image_to_rgb(sent), rgb)


@given(SIZES, PADDING, st.sampled_from(['mono8', '8UC1', 'mono16', '16UC1']), st.booleans())
@settings(deadline=None)
def test_grey_is_repeated(size, padding, encoding, big_endian):
    grey = random_rgb(*size)[..., 0]
    pixels = grey if '8' in encoding else grey.astype(np.uint16) * 256 + 17
    sent = message(pixels, encoding, padding=padding, big_endian=big_endian)
    np.testing.assert_array_equal(image_to_rgb(sent), np.dstack([grey] * 3))


@pytest.mark.parametrize('bits', [8, 16])
def test_unnamed_channels_are_in_the_order_of_opencv(bits):
    rgb = random_rgb(5, 7)
    scale = 1 if bits == 8 else 256
    dtype = np.uint8 if bits == 8 else np.uint16
    for channels, name in ((3, 'bgr'), (4, 'bgra')):
        pixels = (CODES[name](rgb).astype(int) * scale).astype(dtype)
        np.testing.assert_array_equal(image_to_rgb(message(pixels, f'{bits}UC{channels}')), rgb)


MOSAICS = {'rggb': (0, 1, 1, 2), 'bggr': (2, 1, 1, 0), 'gbrg': (1, 2, 0, 1), 'grbg': (1, 0, 2, 1)}


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize('pattern', MOSAICS)
@pytest.mark.parametrize('size', [(48, 64), (49, 65), (33, 47)])
def test_bayer_mosaics(pattern, size, bits):
    rgb = smooth_rgb(*size)
    mosaic = np.zeros(size, np.uint8)
    for index, channel in enumerate(MOSAICS[pattern]):
        row, column = divmod(index, 2)
        mosaic[row::2, column::2] = rgb[row::2, column::2, channel]
    pixels = mosaic if bits == 8 else mosaic.astype(np.uint16) * 256 + 99
    decoded = image_to_rgb(message(pixels, f'bayer_{pattern}{bits}', padding=3))
    assert decoded.shape == (*size, 3)
    inner = np.abs(decoded.astype(int) - rgb)[2:-2, 2:-2]
    assert inner.max() <= 6


def yuv601(rgb):
    """Return Y, U and V of BT.601 (16 to 235), as floats."""
    r, g, b = (rgb[..., i].astype(float) for i in range(3))
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u = 128 - 0.148 * r - 0.291 * g + 0.439 * b
    v = 128 + 0.439 * r - 0.368 * g - 0.071 * b
    return y, u, v


def yuv422(rgb, order):
    """Encode RGB with one colour per pair of pixels."""
    y, u, v = yuv601(rgb)
    shared = np.empty_like(y)
    shared[:, 0::2], shared[:, 1::2] = u[:, 0::2], v[:, 0 : 2 * (y.shape[1] // 2) : 2]
    pair = (shared, y) if order == 'uyvy' else (y, shared)
    return np.rint(np.dstack(pair)).astype(np.uint8)


def planar(rgb, encoding, padding=0):
    """Encode RGB in planes with padded rows, as a driver would."""
    y, u, v = (np.rint(plane).astype(np.uint8) for plane in yuv601(rgb))
    height, width = y.shape
    step = width + padding
    halved = encoding not in ('nv24', 'yuv444')
    if halved:
        u, v = u[::2, ::2], v[::2, ::2]
    stride = (step + 1) // 2 if halved else step
    first, second = (v, u) if encoding in ('nv21', 'yv12') else (u, v)
    if encoding.startswith('nv'):
        pairs = np.dstack([first, second]).reshape(len(u), -1)
        planes = [(y, step), (pairs, 2 * stride)]
    else:
        planes = [(y, step), (first, stride), (second, stride)]
    rows = [np.pad(p, [(0, 0), (0, s - p.shape[1])], constant_values=0xA5) for p, s in planes]
    data = b''.join(plane.tobytes() for plane in rows)
    return Image(
        height=height, width=width, encoding=encoding, step=step, data=array.array('B', data)
    )


@pytest.mark.parametrize('encoding', PLANAR_FORMATS)
@pytest.mark.parametrize('size', [(48, 64), (33, 65), (49, 34), (1, 1), (2, 1), (1, 3)])
@pytest.mark.parametrize('padding', [0, 1, 6])
def test_planes_of_even_and_odd_sizes(encoding, size, padding):
    rgb = smooth_rgb(*size)
    decoded = image_to_rgb(planar(rgb, encoding, padding))
    assert decoded.shape == rgb.shape and decoded.dtype == np.uint8
    assert np.abs(decoded.astype(int) - rgb).max() <= 6


@pytest.mark.parametrize('encoding', PLANAR_FORMATS)
def test_every_colour_of_planes_is_exact(encoding):
    """Blocks of 2x2 pixels have one colour, so sharing colours loses nothing."""
    rgb = random_rgb(10, 12).repeat(2, axis=0).repeat(2, axis=1)
    decoded = image_to_rgb(planar(rgb, encoding))
    assert np.abs(decoded.astype(int) - rgb).max() <= 3  # rounding of Y, U and V


def test_yuv444_may_be_packed():
    rgb = random_rgb(7, 9)
    pixels = np.rint(np.dstack(yuv601(rgb))).astype(np.uint8)
    decoded = image_to_rgb(message(pixels, 'yuv444', padding=4))
    assert np.abs(decoded.astype(int) - rgb).max() <= 3


@pytest.mark.parametrize(
    ('changes', 'sentence'),
    [
        ({'width': 0}, 'is empty'),
        ({'step': 63}, 'has a step of 63 bytes; a row needs 64'),
        ({'height': 50}, 'needs 4800 bytes of data and has 4608'),
    ],
)
def test_planes_that_do_not_fit_are_refused_in_one_sentence(changes, sentence):
    sent = planar(smooth_rgb(48, 64), 'nv12')
    for name, value in changes.items():
        setattr(sent, name, value)
    with pytest.raises(HydranetError, match=sentence):
        image_to_rgb(sent)


@pytest.mark.parametrize('encoding', ['yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv'])
@pytest.mark.parametrize('size', [(48, 64), (33, 65), (49, 33)])
def test_yuv422_even_and_odd_widths(encoding, size):
    rgb = smooth_rgb(*size)
    order = 'uyvy' if encoding in ('yuv422', 'uyvy') else 'yuyv'
    decoded = image_to_rgb(message(yuv422(rgb, order), encoding, padding=5))
    assert decoded.shape == rgb.shape
    assert np.abs(decoded.astype(int) - rgb).max() <= 6


@pytest.mark.parametrize('encoding', COLOURED)
@pytest.mark.parametrize('size', [(1, 1), (1, 2), (2, 1), (3, 3), (5, 7)])
def test_tiny_images_of_every_encoding(encoding, size):
    pixel_format = ENCODINGS[encoding]
    shape = size if pixel_format.channels == 1 else (*size, pixel_format.channels)
    decoded = image_to_rgb(message(np.zeros(shape, pixel_format.dtype), encoding))
    assert decoded.shape == (*size, 3) and decoded.dtype == np.uint8


def test_rgb8_without_padding_is_not_copied():
    sent = message(random_rgb(8, 8), 'rgb8')
    decoded = image_to_rgb(sent)
    sent.data[0] ^= 0xFF
    assert decoded[0, 0, 0] == sent.data[0]


@pytest.mark.parametrize(
    ('changes', 'sentence'),
    [
        ({'width': 0}, 'empty'),
        ({'height': 0}, 'empty'),
        ({'step': 23}, 'a step of 23 bytes; a row needs 24'),
        ({'step': 0}, 'a step of 0 bytes'),
        ({'height': 7}, 'needs 168 bytes of data and has 144'),
        ({'data': array.array('B')}, 'needs 144 bytes of data and has 0'),
        ({'encoding': ''}, "encoding '' are not supported; publish one of rgb8"),
        ({'encoding': 'h264'}, "encoding 'h264' are not supported"),
        ({'encoding': '32FC1'}, "encoding '32FC1' are not supported"),
        ({'width': 2**32 - 1, 'step': 2**32 - 1}, 'a row needs'),
        ({'height': 2**32 - 1, 'step': 2**32 - 1}, 'bytes of data and has 144'),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(changes, sentence):
    sent = message(random_rgb(6, 8), 'rgb8')
    for name, value in changes.items():
        setattr(sent, name, value)
    with pytest.raises(HydranetError) as refusal:
        image_to_rgb(sent)
    text = str(refusal.value)
    assert sentence in text and '\n' not in text and text.endswith('.')


@given(
    st.builds(
        Image,
        height=st.integers(0, 70),
        width=st.integers(0, 70),
        step=st.integers(0, 300),
        data=st.binary(max_size=300).map(lambda data: array.array('B', data)),
        encoding=st.sampled_from([*ENCODINGS, *PLANAR_FORMATS, 'rgb', '']),
        is_bigendian=st.integers(0, 1),
    )
)
def test_no_header_breaks_the_decoder(sent):
    try:
        decoded = image_to_rgb(sent)
    except HydranetError:
        return
    assert decoded.shape == (sent.height, sent.width, 3)


def compressed(rgb, extension, format_text, flags=()):
    """Compress as image_transport does."""
    _, data = cv2.imencode(extension, rgb, list(flags))
    return CompressedImage(format=format_text, data=data.tobytes())


def test_png_is_exact_and_jpeg_close():
    rgb = smooth_rgb(47, 61)
    bgr = rgb[..., ::-1]
    for text in ('png', 'rgb8; png compressed bgr8', 'bgr8; png compressed bgr8'):
        np.testing.assert_array_equal(compressed_to_rgb(compressed(bgr, '.png', text)), rgb)
    decoded = compressed_to_rgb(compressed(bgr, '.jpg', 'rgb8; jpeg compressed bgr8'))
    assert np.abs(decoded.astype(int) - rgb).max() < 16


def test_old_publishers_that_compressed_rgb_are_understood():
    rgb = random_rgb(20, 30)
    sent = compressed(rgb, '.png', 'rgb8; png compressed rgb8')
    np.testing.assert_array_equal(compressed_to_rgb(sent), rgb)


def test_compressed_grey_and_bayer():
    grey = random_rgb(20, 30)[..., 0]
    decoded = compressed_to_rgb(compressed(grey, '.png', 'mono8; png compressed '))
    np.testing.assert_array_equal(decoded, np.dstack([grey] * 3))
    rgb = smooth_rgb(48, 64)
    mosaic = rgb[..., 1].copy()
    mosaic[0::2, 0::2], mosaic[1::2, 1::2] = rgb[0::2, 0::2, 0], rgb[1::2, 1::2, 2]
    decoded = compressed_to_rgb(compressed(mosaic, '.png', 'bayer_rggb8; png compressed '))
    assert np.abs(decoded.astype(int) - rgb)[2:-2, 2:-2].max() <= 6
    deep = compressed(mosaic.astype(np.uint16) << 8, '.png', 'bayer_rggb16; png compressed ')
    np.testing.assert_array_equal(compressed_to_rgb(deep), decoded)
    lossy = compressed(mosaic, '.jpg', 'bayer_rggb16; jpeg compressed ')
    assert np.abs(compressed_to_rgb(lossy).mean() - rgb.mean()) < 5


@pytest.mark.parametrize('data', [b'', b'garbage', b'\xff\xd8\xff\xe0 no jpeg', b'\x89PNG\r\n'])
def test_compressed_garbage_is_refused_in_one_sentence(data):
    with pytest.raises(HydranetError, match=f'of {len(data)} bytes and format .* cannot be'):
        compressed_to_rgb(CompressedImage(format='jpeg', data=data))


@pytest.mark.parametrize(
    ('encoding', 'dtype', 'channels'),
    [('mono8', 'u1', 1), ('rgb8', 'u1', 3), ('16UC1', 'u2', 1), ('32FC1', 'f4', 1),
     ('32FC3', 'f4', 3)],
)  # fmt: skip
def test_outputs_carry_every_byte(encoding, dtype, channels):
    shape = (5, 7) if channels == 1 else (5, 7, channels)
    pixels = np.random.default_rng(1).integers(0, 250, shape).astype(dtype)
    header = Header(frame_id='camera')
    for given_pixels in (pixels, np.repeat(pixels, 2, axis=1)[:, ::2]):  # contiguous or not
        sent = array_to_image(given_pixels, encoding, header)
        assert (sent.height, sent.width, sent.encoding) == (5, 7, encoding)
        assert sent.step == 7 * channels * np.dtype(dtype).itemsize
        assert sent.is_bigendian == (sys.byteorder == 'big')
        assert isinstance(sent.data, array.array) and sent.data.typecode == 'B'
        assert sent.data.tobytes() == pixels.tobytes()
        assert sent.header == header


def test_outputs_of_the_wrong_type_are_a_programming_error():
    with pytest.raises(ValueError, match='mono8 cannot hold'):
        array_to_image(np.zeros((2, 2), np.float32), 'mono8', Header())
    with pytest.raises(ValueError, match='rgb8 cannot hold'):
        array_to_image(np.zeros((2, 2), np.uint8), 'rgb8', Header())


class StandInForCvBridge(types.ModuleType):
    """A substitute for cv_bridge on machines without it."""

    class CvBridgeError(TypeError):
        """Substitute for the error of cv_bridge."""

    class CvBridge:
        """A bridge that converts one encoding."""

        def imgmsg_to_cv2(self, image, desired_encoding):
            if image.encoding != 'yuv411' or desired_encoding != 'rgb8':
                raise StandInForCvBridge.CvBridgeError('unknown')
            return np.full((image.height, image.width, 3), 9, np.uint8)


def test_cv_bridge_is_asked_about_other_encodings(monkeypatch):
    monkeypatch.setitem(sys.modules, 'cv_bridge', StandInForCvBridge('cv_bridge'))
    sent = message(random_rgb(4, 6), 'yuv411')
    np.testing.assert_array_equal(image_to_rgb(sent), np.full((4, 6, 3), 9))
    sent.encoding = 'h264'
    with pytest.raises(HydranetError, match="encoding 'h264' are not supported"):
        image_to_rgb(sent)


def test_a_broken_cv_bridge_is_as_good_as_none(monkeypatch):
    # A cv_bridge for NumPy 1 is empty if it is imported with NumPy 2.
    monkeypatch.setitem(sys.modules, 'cv_bridge', types.ModuleType('cv_bridge'))
    with pytest.raises(HydranetError, match="encoding 'yuv411' are not supported"):
        image_to_rgb(message(random_rgb(4, 6), 'yuv411'))


def test_agrees_with_cv_bridge():
    cv_bridge = pytest.importorskip('cv_bridge', reason='cv_bridge comes with a distribution')
    compared = 0
    for encoding in COLOURED:
        pixel_format = ENCODINGS[encoding]
        if 'UC' in encoding or '16' in encoding:
            continue  # cv_bridge does not convert these, or scales them differently
        shape = (12, 16) if pixel_format.channels == 1 else (12, 16, pixel_format.channels)
        pixels = np.random.default_rng(2).integers(0, 256, shape).astype(pixel_format.dtype)
        # cv_bridge misreads rows whose padding is not a multiple of the pixel's 1 to 4 bytes.
        sent = message(pixels, encoding, padding=12)
        try:
            theirs = cv_bridge.CvBridge().imgmsg_to_cv2(sent, 'rgb8')
        except cv_bridge.CvBridgeError:
            continue  # an older cv_bridge without this name
        np.testing.assert_array_equal(image_to_rgb(sent), theirs, err_msg=encoding)
        compared += 1
    assert compared >= 9
