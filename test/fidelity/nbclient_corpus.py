"""Runs notebooks through nbclient, all in one process, and validates executed ones.

    python nbclient_corpus.py run ANSWER < {"dir": ..., "notebooks": [{"name": ..., "path": ...}]}
    python nbclient_corpus.py validate ANSWER < {"notebooks": [{"name": ..., "path": ...}]}

Writes one JSON object into the file ANSWER, the outcome by name; stdout is not ours, kernels inherit it.
"""

import asyncio
import json
import sys
import warnings
from pathlib import Path
from tempfile import mkdtemp

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

# Kernels beside one another: their start, most of the time, is one process's work on one core.
CONCURRENCY = 3


def allows_errors(notebook):
    """What `allow_errors` means in a notebook's metadata; nbclient has it as an option of the caller's alone."""
    execution = notebook.metadata.get("execution", {})
    return bool(notebook.metadata.get("allow_errors") or execution.get("allow_errors"))


async def run_one(path, work_dir):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ids that nbformat makes up
        notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name=notebook.metadata.kernelspec.name,
        allow_errors=allows_errors(notebook),
        timeout=120,
        resources={"metadata": {"path": mkdtemp(dir=work_dir)}},
    )
    outcome = {}
    try:
        await client.async_execute()
    except CellExecutionError as error:
        outcome["error"] = {"name": error.ename, "message": error.evalue}
    except DeadKernelError:
        outcome["died"] = True
    return {**outcome, "notebook": notebook}


async def run(task):
    free = asyncio.Semaphore(CONCURRENCY)

    async def guarded(item):
        async with free:
            return item["name"], await run_one(item["path"], task["dir"])

    return dict(await asyncio.gather(*map(guarded, task["notebooks"])))


def validate(task):
    """The complaint about each notebook, None where there is none; warnings count."""
    complaints = {}
    for item in task["notebooks"]:
        document = json.loads(Path(item["path"]).read_text())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                nbformat.validate(document)
                complaints[item["name"]] = None
            except Exception as error:  # noqa: BLE001
                complaints[item["name"]] = f"{type(error).__name__}: {str(error)[:500]}"
    return complaints


task = json.load(sys.stdin)
outcome = asyncio.run(run(task)) if sys.argv[1] == "run" else validate(task)
Path(sys.argv[2]).write_text(json.dumps(outcome))
