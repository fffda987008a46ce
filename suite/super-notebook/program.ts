/** What the cells of a super-notebook do, in Python, with its standard library and IPython only. */

/** Where the service is, what it is asked, and how its answers are read. */
export const CLIENT = String.raw`import json, os, time, urllib.error, urllib.request, uuid
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from IPython.display import HTML, display

# Of a lab on the Rubin Science Platform the last two are known.
BASE_URL = os.environ.get("NOTEBURST_BASE_URL") or os.environ.get("EXTERNAL_INSTANCE_URL", "").rstrip("/") + "/noteburst"
TOKEN = os.environ.get("NOTEBURST_TOKEN") or os.environ.get("ACCESS_TOKEN")
if BASE_URL == "/noteburst" or not TOKEN:
    raise RuntimeError("Set NOTEBURST_BASE_URL and NOTEBURST_TOKEN (a token with the scope exec:notebook).")

AWAY = (429, 502, 503, 504)


def ask(url, body=None, key=None, patience=60):
    """Ask until there is an answer; a submission is made once, however often it is sent (Idempotency-Key)."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Prefer": "wait=25", "Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    data = None if body is None else json.dumps(body).encode()
    deadline = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code not in AWAY or time.monotonic() > deadline:
                raise RuntimeError(f"HTTP {error.code}: {error.read(2000).decode(errors='replace')}") from None
            pause = error.headers.get("Retry-After", "2")
            time.sleep(min(float(pause) if pause.isdigit() else 2, 30))
        except urllib.error.URLError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{BASE_URL} cannot be reached: {error.reason}") from None
            time.sleep(2)


def wait_for(job, seen):
    while job["status"] != "complete":
        seen(job)
        before = time.monotonic()
        job = ask(job["self_url"])
        if time.monotonic() - before < 1 and job["status"] != "complete":
            time.sleep(1)  # a service without Prefer answers at once
    return job
`;

/** How the suite is run, and shown. */
export const RUN = String.raw`TROUBLE = ("expired", "lab_lost", "executor_lost")
MARKS = {"passed": "✓", "failed": "✗", "expected failure": "~", "unexpected pass": "✗", "trouble": "!", "running": "…", "waiting": "…"}
BAD = ("failed", "unexpected pass", "trouble")
results = {case["name"]: {"verdict": "waiting"} for case in CASES}


def verdict_of(case, job):
    error, raised = job.get("error"), job.get("ipynb_error")
    if error and error.get("reason", "lab_lost") in TROUBLE:
        return "trouble", error.get("message", "")
    expected = case.get("expected_failure")
    if not error and not raised:
        return ("unexpected pass", expected["reason"]) if expected else ("passed", "")
    name = raised["name"] if raised else error.get("reason", "")
    text = f'{raised["name"]}: {raised["message"]}' if raised else error.get("message", "")
    if expected and expected.get("error") in (None, name):
        return "expected failure", expected["reason"]
    return "failed", text


def run(case):
    result = results[case["name"]]
    begun = time.monotonic()
    try:
        ipynb = Path(case["path"]).read_text(encoding="utf-8")
        job = ask(f"{BASE_URL}/v1/notebooks/", {"ipynb": ipynb, **case["submission"]}, str(uuid.uuid4()))
        result["url"] = job["self_url"]

        def seen(now):
            done = now.get("progress")
            result["verdict"] = "running" if done else "waiting"
            result["text"] = f'{done["cells_done"]} of {done["cells_total"]} cells' if done else ""

        job = wait_for(job, seen)
        result["verdict"], result["text"] = verdict_of(case, job)
        result["traceback"] = "\n".join(job.get("traceback", []))
    except Exception as error:
        result["verdict"], result["text"] = "trouble", str(error)
    result["seconds"] = time.monotonic() - begun


def table():
    rows = []
    for name, result in results.items():
        url, text = result.get("url"), escape(result.get("text", ""))
        title = f'<a href="{escape(url)}">{escape(name)}</a>' if url else escape(name)
        seconds = f'{result["seconds"]:.1f} s' if "seconds" in result else ""
        traceback = ANSI.sub("", result.get("traceback", ""))
        if traceback:
            text = f"<details><summary>{text}</summary><pre>{escape(traceback)}</pre></details>"
        verdict = result["verdict"]
        rows.append(f"<tr><td>{MARKS[verdict]} {verdict}<td>{title}<td>{seconds}<td style='text-align:left'>{text}")
    return HTML("<table><tr><th>verdict<th>notebook<th>time<th></tr>" + "".join(rows) + "</table>")


import re

ANSI = re.compile(r"\x1b\[[0-9;]*m")
shown = display(table(), display_id=True)
with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
    runs = [pool.submit(run, case) for case in CASES]
    while not all(run.done() for run in runs):
        time.sleep(1)
        shown.update(table())
shown.update(table())
`;

/** The verdict, so that the super-notebook itself fails when it is run headless. */
export const VERDICT = String.raw`bad = [name for name, result in results.items() if result["verdict"] in BAD]
print(f"{len(results) - len(bad)} of {len(results)} are well")
if bad:
    raise RuntimeError("not well: " + ", ".join(bad))
`;
