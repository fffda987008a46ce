"""Records what a real jupyter_server sends for small notebooks, as golden transcripts of the codec and the reducer.

    .platform/venv/KIND/bin/python test/support/record_transcripts.py test/unit/kernel/transcripts/KIND [NAME ...]

Run it with the Python of each kind of lab: it starts that environment's server, runs the notebooks below over a
websocket, and writes one file for each: the frames as they came (base64), and the outputs and widgets that nbclient's own
code makes of them, streams joined as the service does.
"""

import asyncio
import base64
import json
import os
import secrets
import socket
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from uuid import uuid4

from jupyter_client.session import Session
from jupyter_server.services.kernels.connection.base import (
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_v1,
)
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbformat import v4
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

NOTEBOOKS = {
    "streams": [
        "print('a', flush=True)\nprint('b')",
        "import sys\nprint('out', flush=True)\nprint('err', file=sys.stderr, flush=True)\nprint('out2')",
        "for i in range(3):\n    print(i, end='\\r', flush=True)",
        "'é 中 😀'",
    ],
    "display": [
        "from IPython.display import clear_output, update_display, HTML\nh = display('first', display_id='x')",
        "display('again', display_id='x', metadata={})",
        "update_display('second', display_id='x')",
        "print('gone', flush=True)\nclear_output()\nprint('kept')",
        "print('old', flush=True)\nclear_output(wait=True)\nprint('new')",
        "h.update('third')\nHTML('<b>bold</b>')",
    ],
    "errors": ["print('before')\n1/0"],
    "widgets": [
        "import ipywidgets as w\nout = w.Output()\nout",
        "with out:\n    print('caught', flush=True)\n    print('more')\n    display(5)",
        "print('outside')",
        "image = w.Image(value=b'\\x89PNG')\nimage",
    ],
    "comms": [
        "from comm import create_comm\nstate = {'_model_name': 'M', '_model_module': 'm', '_model_module_version': '1'}",
        "c = create_comm(target_name='jupyter.widget', data={'state': {**state, 'n': 1, 'data': None}})",
        "c.send({'method': 'update', 'state': {'n': 2}, 'buffer_paths': [['data']]}, buffers=[b'\\x89PNG'])",
        "c.close()\nprint('closed')",
    ],
}
PACKAGES = ("jupyter_server", "jupyter_server_documents", "ipykernel", "ipywidgets")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A jupyter_server of this Python's environment, on loopback."""

    def __init__(self, directory):
        self.port, self.token, self.directory = free_port(), secrets.token_hex(), directory

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
            *(f"--port={self.port}", f"--IdentityProvider.token={self.token}", "--port-retries=0"),
            cwd=self.directory,
            env={**os.environ, "HOME": self.directory},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                await self.call("GET", "api/status")
                return self
            except OSError:
                if self.process.returncode is not None or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)

    async def __aexit__(self, *_):
        self.process.terminate()
        await self.process.wait()

    async def call(self, method, path, body=None):
        request = HTTPRequest(
            f"http://127.0.0.1:{self.port}/{path}",
            method=method,
            headers={"Authorization": f"token {self.token}"},
            body=None if body is None else json.dumps(body),
        )
        answer = await AsyncHTTPClient().fetch(request)
        return json.loads(answer.body) if answer.body else None


class Recorder:
    """One kernel's websocket."""

    def __init__(self, websocket, session):
        self.websocket, self.session, self.frames = websocket, session, []

    async def ask(self, message_type, content):
        """Sends a shell request and reads until reply and idle have come. Returns the request's id."""
        request = self.session.msg(message_type, content)
        parts = [self.session.pack(request[part]) for part in ("header", "parent_header", "metadata", "content")]
        await self.websocket.write_message(bytes(serialize_msg_to_ws_v1(parts, "shell")), binary=True)
        missing = {"reply", "idle"}
        while missing:
            frame = await asyncio.wait_for(self.websocket.read_message(), 30)
            self.frames.append(frame)
            message = decode(self.session, frame)
            if message["parent_header"].get("msg_id") != request["msg_id"]:
                continue
            if message["channel"] == "shell":
                missing.discard("reply")
            if message["content"].get("execution_state") == "idle":
                missing.discard("idle")
        return request["msg_id"]


def decode(session, frame):
    channel, parts = deserialize_msg_from_ws_v1(frame)
    return {**session.deserialize([b"", *parts]), "channel": channel}


async def record(server, sources):
    name = {"kernel": {"name": "python3"}, "name": "", "path": uuid4().hex, "type": "console"}
    kernel = (await server.call("POST", "api/sessions", name))["kernel"]["id"]
    session = Session(key=b"")  # the server has checked the signatures
    url = f"ws://127.0.0.1:{server.port}/api/kernels/{kernel}/channels?session_id={session.session}"
    request = HTTPRequest(url, headers={"Authorization": f"token {server.token}"})
    websocket = await websocket_connect(request, subprotocols=["v1.kernel.websocket.jupyter.org"])
    recorder = Recorder(websocket, session)
    for _ in range(3):  # until iopub is subscribed to
        await recorder.ask("kernel_info_request", {})
    recorder.frames.clear()
    cells = []
    for source in sources:
        content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False}
        msg_id = await recorder.ask("execute_request", {**content, "user_expressions": {}})
        cells.append({"source": source, "msg_id": msg_id})
    websocket.close()
    messages = [decode(session, frame) for frame in recorder.frames]
    return {**by_nbclient(cells, messages), "frames": [base64.b64encode(f).decode() for f in recorder.frames]}


def by_nbclient(cells, messages):
    """The cells with what nbclient's code makes of the messages."""
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell["source"]) for cell in cells])
    client = NotebookClient(notebook, record_timing=False)
    client.reset_execution_trackers()
    client.clear_before_next_output = False
    # Output widgets tell the kernel what they caught; this one is gone.
    channel = SimpleNamespace(send=lambda message: None)
    client.kc = SimpleNamespace(session=Session(key=b""), shell_channel=channel)
    index_of = {cell["msg_id"]: index for index, cell in enumerate(cells)}
    for message in messages:
        index = index_of.get(message["parent_header"].get("msg_id"))
        if message["channel"] != "iopub" or index is None:
            continue
        try:
            client.process_message(message, notebook.cells[index], index)
        except CellExecutionComplete:
            pass
    client.set_widgets_metadata()
    outputs = [joined(cell.outputs) for cell in notebook.cells]
    return {
        "cells": [{**cell, "outputs": shown} for cell, shown in zip(cells, outputs)],
        "widgets": notebook.metadata.get("widgets"),
    }


def joined(outputs):
    """Adjacent streams of one name are one: see docs/fidelity.md."""
    result = []
    for output in outputs:
        last = result[-1] if result else {}
        if output.output_type == last.get("output_type") == "stream" and output.name == last["name"]:
            last["text"] += output.text
        else:
            result.append(dict(output))
    return result


def installed():
    for package in PACKAGES:
        try:
            yield f"{package} {'.'.join(version(package).split('.')[:2])}"
        except PackageNotFoundError:
            continue


async def main(folder, *names):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as directory:
        async with Server(directory) as server:
            for name in names or NOTEBOOKS:
                if name == "widgets" and find_spec("ipywidgets") is None:
                    continue
                transcript = {"recorded_from": ", ".join(installed()), **await record(server, NOTEBOOKS[name])}
                text = json.dumps(transcript, indent=2, ensure_ascii=False)
                (folder / f"{name}.json").write_text(f"{text}\n")


asyncio.run(main(*sys.argv[1:]))
