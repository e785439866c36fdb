# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A server of files on this machine, which also plays Google Drive."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest


class FileServer(ThreadingHTTPServer):
    """Serves ``files`` (path -> bytes); can resume, break off after ``cut`` bytes, play Drive.

    ``etags``: path -> ETag, compared with what a client knows. ``sent``: paths whose bytes were.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), _Handler)
        self.files, self.drive, self.ranges = {}, {}, []
        self.etags, self.sent = {}, []
        self.cut, self.resumes = None, True
        self.url = f'http://127.0.0.1:{self.server_port}'
        self.thread = threading.Thread(target=self.serve_forever, args=(.01, ), daemon=True)
        self.thread.start()

    def close(self):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):

    def do_GET(self):
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        if address.path == '/uc':
            return self._page(query['id'][0])
        data = (self.server.drive.get(query['id'][0]) if address.path == '/download'
                and query.get('confirm') == ['t'] else self.server.files.get(address.path))
        if data is None:
            return self.send_error(404)
        etag, first = self.server.etags.get(address.path), 0
        if etag is not None and self.headers['If-None-Match'] == etag:
            self.send_response(304)
            return self.end_headers()
        self.server.sent.append(address.path)
        if self.headers['Range']:
            self.server.ranges.append(self.headers['Range'])
            if self.server.resumes:
                first = int(self.headers['Range'].removeprefix('bytes=').removesuffix('-'))
        self.send_response(206 if first else 200)
        if first:
            self.send_header('Content-Range', f'bytes {first}-{len(data) - 1}/{len(data)}')
        if address.path == '/download':
            self.send_header('Content-Disposition', 'attachment; filename="theirs.pth"')
        if etag is not None:
            self.send_header('ETag', etag)
        self.send_header('Content-Type', 'application/octet-stream')
        self.send_header('Content-Length', str(len(data) - first))
        self.end_headers()
        self.wfile.write(data[first:self.server.cut])

    def _page(self, file):
        """Google Drive's page before a large file."""
        form = (f'<form id="download-form" action="https://drive.usercontent.google.com/download">'
                f'<input type="hidden" name="id" value="{file}">'
                '<input type="hidden" name="confirm" value="t"></form>')
        page = form if file in self.server.drive else '<p class="uc-error-subcaption">Quota</p>'
        self.send_response(200)
        self.send_header('Content-Type', 'text/html; charset=utf-8')
        self.end_headers()
        self.wfile.write(f'<html><body>{page}</body></html>'.encode())

    def log_message(self, *args):
        """Quiet."""


@pytest.fixture
def file_server():
    server = FileServer()
    yield server
    server.close()


@pytest.fixture
def google_drive(file_server, monkeypatch):
    """Id -> content; what would go to Google goes to the server of this machine."""
    from requests.adapters import HTTPAdapter
    send = HTTPAdapter.send

    def redirected(self, request, **options):
        host, rest = request.url.removeprefix('https://').split('/', 1)
        assert host in ('drive.google.com', 'drive.usercontent.google.com'), request.url
        request.url = f'{file_server.url}/{rest}'
        return send(self, request, **options)

    monkeypatch.setattr(HTTPAdapter, 'send', redirected)
    return file_server.drive
