"""Gives notebooks parameters with papermill's own code, and runs them with it.

    python papermill_notebooks.py inject ANSWER < [{"notebook": ..., "parameters": ...}]
    python papermill_notebooks.py execute ANSWER < [{"notebook": ..., "parameters": ...}]

Writes the notebooks, as a list, into the file ANSWER.
"""

import json
import logging
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from papermill import execute_notebook
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

warnings.simplefilter("ignore")  # about ids that old notebooks lack
logging.disable()


def injected(path, parameters):
    return parameterize_notebook(load_notebook_node(path), parameters, language="python", kernel_name="k")


def executed(path, parameters):
    options = {"language": "python", "kernel_name": "python3", "progress_bar": False}
    return execute_notebook(path, None, parameters, cwd=Path(path).parent, **options)


def made(case, make):
    with TemporaryDirectory() as directory:
        path = Path(directory, "notebook.ipynb")
        path.write_text(json.dumps(case["notebook"]))
        return make(str(path), case["parameters"])


make = {"inject": injected, "execute": executed}[sys.argv[1]]
Path(sys.argv[2]).write_text(json.dumps([made(case, make) for case in json.load(sys.stdin)]))
