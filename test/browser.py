# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium that shows a page and returns screenshots."""

import base64
from contextlib import contextmanager
import json
import os
import select
import shutil
import subprocess
import sys
import time

import cv2
import numpy as np

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'google-chrome', 'chrome'))), None)
FLAGS = (
    '--headless=new',
    '--no-sandbox',  # a container has none
    '--no-proxy-server',
    '--disable-dev-shm-usage',
    '--hide-scrollbars',
    '--use-angle=swiftshader',  # WebGL without a graphics card
    '--enable-unsafe-swiftshader',
    '--remote-debugging-pipe',
)

# Chromium reads commands from file descriptor 3 and writes replies to 4.
RENAME = (
    'import os, sys; reader, writer = map(int, sys.argv[1:3]); '
    'os.dup2(writer, 100); os.dup2(reader, 3); os.dup2(100, 4); '
    'os.execv(sys.argv[3], sys.argv[3:])'
)


class NotReadyError(Exception):
    """The browser cannot execute a command now."""


class Browser:
    """A page, driven through the DevTools protocol over a pair of pipes."""

    def __init__(self, commands, replies):
        self._commands, self._replies = commands, replies
        self._buffer = b''
        self._next_id = 0
        self._session = None

    def open(self, url):
        """Open a page; it continues to load after this returns."""
        target = self._call('Target.createTarget', url='about:blank')['targetId']
        attached = self._call('Target.attachToTarget', targetId=target, flatten=True)
        self._session = attached['sessionId']
        self._call('Page.navigate', url=url)

    def screenshot(self):
        """Return what the page shows now, H×W×3 RGB."""
        deadline = time.monotonic() + 60
        while True:
            try:
                reply = self._call('Page.captureScreenshot', format='png')
                break
            except NotReadyError:
                # Between two pages there is nothing to capture for a moment.
                assert time.monotonic() < deadline
                time.sleep(0.1)
        data = np.frombuffer(base64.b64decode(reply['data']), np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]

    def _call(self, method, **parameters):
        self._next_id += 1
        call = {'id': self._next_id, 'method': method, 'params': parameters}
        if self._session:
            call['sessionId'] = self._session
        os.write(self._commands, json.dumps(call).encode() + b'\0')
        end = time.monotonic() + 60
        while time.monotonic() < end:
            message = self._read(end)
            if message.get('id') == self._next_id:
                if 'result' not in message:
                    raise NotReadyError(f'{method}: {message["error"]["message"]}')
                return message['result']
        raise TimeoutError(method)

    def _read(self, end):
        """Return the next message, which ends in a zero byte."""
        while b'\0' not in self._buffer:
            ready = select.select([self._replies], [], [], max(end - time.monotonic(), 0))[0]
            if not ready:
                raise TimeoutError('The browser does not answer.')
            data = os.read(self._replies, 1 << 20)
            if not data:
                raise ConnectionError('The browser ended.')
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b'\0')
        return json.loads(message)


@contextmanager
def running_browser(profile, width=1600, height=1000):
    """Run a browser with a window of a size; its files go to the folder ``profile``."""
    command_reader, command_writer = os.pipe()
    reply_reader, reply_writer = os.pipe()

    process = subprocess.Popen(
        [
            *(sys.executable, '-I', '-S', '-c', RENAME, str(command_reader), str(reply_writer)),
            *(CHROMIUM, *FLAGS, f'--user-data-dir={profile}', f'--window-size={width},{height}'),
        ],
        pass_fds=(command_reader, reply_writer),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(command_reader)
    os.close(reply_writer)
    try:
        yield Browser(command_writer, reply_reader)
    finally:
        os.close(command_writer)  # this ends the browser
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(reply_reader)
