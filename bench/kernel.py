"""Times a notebook's cells in a kernel by itself: warm, over its own ZeroMQ sockets, with no server or proxy between.

What the kernel takes is the floor of every client. Usage: kernel.py NOTEBOOK RUNS -> a JSON list of milliseconds
"""

import json
import sys
import time

import nbformat
from jupyter_client.manager import start_new_kernel

path, runs = sys.argv[1], int(sys.argv[2])
sources = [cell.source for cell in nbformat.read(path, as_version=4).cells]


def run_cell(client, source):
    """Sends a cell; returns when its reply and its idle have come, as a client has to wait for both."""
    request = client.execute(source, allow_stdin=False)
    while client.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != request:
        pass
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != request:
            continue
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return


milliseconds = []
# One run more than counted: the first pays for imports.
for _ in range(runs + 1):
    # As nbclient starts them: a history on disk would cost each cell 2 ms.
    manager, client = start_new_kernel(
        kernel_name="python3", extra_arguments=["--HistoryManager.hist_file=:memory:"]
    )
    run_cell(client, "")
    time.sleep(0.3)
    begun = time.perf_counter()
    for source in sources:
        run_cell(client, source)
    milliseconds.append((time.perf_counter() - begun) * 1000)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
print(json.dumps(milliseconds[1:]))
