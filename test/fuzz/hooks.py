"""Makes of Schemathesis's valid data what is valid to the service, too.

JSON Schema cannot say that a string holds a notebook or a duration, a host that is allowed, that a name is an identifier, or that a cursor is
one that was given. Data that is wrong on purpose stays as it is.
"""

import hashlib
import json
import re

import schemathesis

NOTEBOOK = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}}
DURATIONS = ("90", "5m", "1h", "10 min 5 s", "PT5M", "0:01:00")

# To a host that test/fuzz/service.ts allows; no courier runs.
CALLBACK = {"url": "https://hooks.example.org/", "secret": "whsec_" + "a" * 32}


def notebook_of(text: str) -> str:
    cell = {"cell_type": "code", "source": text, "metadata": {}, "outputs": [], "execution_count": None}
    return json.dumps({**NOTEBOOK, "cells": [cell]})


def duration_of(text: str) -> str:
    return DURATIONS[len(text) % len(DURATIONS)]


def made_valid(body: dict) -> None:
    if isinstance(body.get("ipynb"), str) and not body["ipynb"].startswith('{"nbformat"'):
        body["ipynb"] = notebook_of(body["ipynb"])
    for name in ("timeout", "cell_timeout"):
        if isinstance(body.get(name), str):
            body[name] = duration_of(body[name])
    if isinstance(body.get("parameters"), dict):
        values = body["parameters"].values()
        body["parameters"] = {f"p{n}": value for n, value in enumerate(values)}
    if isinstance(body.get("callback"), dict):
        body["callback"].update(CALLBACK)


@schemathesis.hook
def before_call(context, case, kwargs):
    # Nobody runs the jobs, so that a wait would last as long as it may.
    prefer = (case.headers or {}).get("Prefer")
    if prefer and "wait" in prefer:
        case.headers["Prefer"] = re.sub(r"\d+", "0", prefer)
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if isinstance(case.body, dict):
        made_valid(case.body)
    if (case.headers or {}).get("Idempotency-Key"):
        # One key for each submission, or most would be refused as another one's.
        body = json.dumps(case.body, sort_keys=True, default=str)
        case.headers["Idempotency-Key"] = hashlib.sha256(body.encode()).hexdigest()
    # Only ids and cursors that were given are valid.
    (case.headers or {}).pop("Last-Event-ID", None)
    if case.query and "cursor" in case.query:
        del case.query["cursor"]
