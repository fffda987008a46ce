"""Times nbclient on a notebook, in process: a kernel for each run, as nbclient does it.

Usage: peers.py NOTEBOOK RUNS -> a JSON list of milliseconds on stdout
"""

import json
import sys
import time

import nbformat
from nbclient import NotebookClient

path, runs = sys.argv[1], int(sys.argv[2])
milliseconds = []
# One run more than counted: the first pays for imports.
for _ in range(runs + 1):
    notebook = nbformat.read(path, as_version=4)
    begun = time.perf_counter()
    NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
    milliseconds.append((time.perf_counter() - begun) * 1000)
print(json.dumps(milliseconds[1:]))
