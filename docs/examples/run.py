"""Runs a notebook with Noteburst and saves what came of it. Needs nothing but Python 3.11.

    NOTEBURST_BASE_URL=https://data.example.org/noteburst NOTEBURST_TOKEN=gt-… python run.py in.ipynb out.ipynb
"""

import json
import os
import sys
import time
import urllib.request

BASE_URL = os.environ["NOTEBURST_BASE_URL"]
HEADERS = {"Authorization": f"Bearer {os.environ['NOTEBURST_TOKEN']}", "Prefer": "wait=20"}


def ask(url: str, body: dict | None = None) -> dict:
    """GET, or POST of a body; either answers as soon as the job ends, or after 20 s as it is then."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {**HEADERS, "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def main(source: str, target: str) -> None:
    with open(source, encoding="utf-8") as file:
        body = {"ipynb": file.read(), "kernel_name": "lsst", "timeout": "5m", "parameters": {"n": 3}}
    job = ask(f"{BASE_URL}/v1/notebooks/", body)
    while job["status"] != "complete":
        time.sleep(1)  # a server without `Prefer: wait` answers at once
        job = ask(job["self_url"])
    if not job["success"]:
        sys.exit(f"not run: {job['error']['message']}")
    with open(target, "w", encoding="utf-8") as file:
        file.write(job["ipynb"])
    if "ipynb_error" in job:
        sys.exit(f"the notebook raised {job['ipynb_error']['name']}: {job['ipynb_error']['message']}")
    print(f"{target} was written")


main(*sys.argv[1:3])
