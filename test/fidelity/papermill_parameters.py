"""Gives notebooks parameters with papermill's own code.

    python papermill_parameters.py ANSWER < [{"notebook": ..., "parameters": ..., "language": ...}]

Writes the notebooks, as a list, into the file ANSWER.
"""

import json
import logging
import sys
import warnings
from pathlib import Path
from tempfile import NamedTemporaryFile

from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

warnings.simplefilter("ignore")  # about ids that old notebooks lack
logging.disable()


def parameterized(case):
    with NamedTemporaryFile("w", suffix=".ipynb") as file:
        json.dump(case["notebook"], file)
        file.flush()
        notebook = load_notebook_node(file.name)
    return parameterize_notebook(notebook, case["parameters"], language=case["language"], kernel_name="k")


Path(sys.argv[1]).write_text(json.dumps([parameterized(case) for case in json.load(sys.stdin)]))
