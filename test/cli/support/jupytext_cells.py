"""What jupytext makes of files: {name: text} on standard input, {name: what is in it} on standard output, both JSON."""

import json
import sys

import jupytext

# Pages tell by their fences which of two formats they have.
FORMATS = {".py": "py:percent", ".md": "md"}


def read(name, text):
    notebook = jupytext.reads(text, fmt=FORMATS[name[name.rindex(".") :]])
    return {
        "kernelspec": notebook.metadata.get("kernelspec"),
        "cells": [
            {"type": cell.cell_type, "source": cell.source, "metadata": cell.metadata}
            for cell in notebook.cells
        ],
    }


files = json.load(sys.stdin)
json.dump({name: read(name, text) for name, text in files.items()}, sys.stdout)
