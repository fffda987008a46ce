/** What the cells of a super-notebook do, in Python, with its standard library and IPython only. */

/** Where the service is, what it is asked, and how its answers are read. */
export const CLIENT = String.raw`import json, os, re, threading, time, urllib.error, urllib.request, uuid
from concurrent.futures import ThreadPoolExecutor
from html import escape
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote
from IPython.display import HTML, display

# Of a lab on the Rubin Science Platform the last two are known.
BASE_URL = os.environ.get("NOTEBURST_BASE_URL") or os.environ.get("EXTERNAL_INSTANCE_URL", "").rstrip("/") + "/noteburst"
TOKEN = os.environ.get("NOTEBURST_TOKEN") or os.environ.get("ACCESS_TOKEN")
if BASE_URL == "/noteburst" or not TOKEN:
    raise RuntimeError("Set NOTEBURST_BASE_URL and NOTEBURST_TOKEN (a token with the scope exec:notebook).")

BASE_URL = BASE_URL.rstrip("/")
NOT_NOW = (408, 429, 502, 503, 504)


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """The token is for this service only."""

    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirects)


class Refused(RuntimeError):
    """An answer that is no success, and what it says first, in FastAPI's form."""

    def __init__(self, status, body):
        super().__init__(f"HTTP {status}: {body[:2000]}")
        self.status = status
        try:
            self.detail = next(entry for entry in json.loads(body)["detail"] if isinstance(entry.get("msg"), str))
        except (ValueError, LookupError, AttributeError, TypeError, StopIteration):
            self.detail = {}


def ask(url, body=None, method="GET", headers={}, patience=60):
    """Ask until there is an answer, or for patience (seconds) there was none. What is asked for is safe to repeat."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **headers}
    data = None if body is None else json.dumps(body).encode()
    deadline = None
    while True:
        pause = "2"
        try:
            with OPENER.open(urllib.request.Request(url, data, headers, method=method), timeout=patience) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            # 409: this very submission is being taken. Retry-After is there when it passes.
            passes = error.code in NOT_NOW or error.code == 409 and "Retry-After" in error.headers
            problem = Refused(error.code, error.read(100_000).decode(errors="replace"))
            pause = error.headers.get("Retry-After", pause)
        except (OSError, HTTPException) as error:
            passes, problem = True, RuntimeError(f"{BASE_URL} cannot be reached: {error}")
        deadline = deadline or time.monotonic() + patience
        if not passes or time.monotonic() > deadline:
            raise problem
        time.sleep(min(float(pause) if pause.isdigit() else 2, 30))


def submit(submission):
    """Submit a notebook, once, however often it is sent; returns the URL of its job."""
    job = ask(f"{BASE_URL}/v1/notebooks/", submission, "POST", {"Idempotency-Key": str(uuid.uuid4())})
    return f"{BASE_URL}/v1/notebooks/{quote(job['job_id'], safe='')}"


def wait_for(url, seen):
    while True:
        before = time.monotonic()
        job = ask(url, headers={"Prefer": "wait=25"})
        if job["status"] == "complete":
            return job
        seen(job)
        if time.monotonic() - before < 1:
            time.sleep(1)  # a service without Prefer answers at once


def cancel(result):
    try:
        ask(result["url"], method="DELETE", patience=10)
        result["verdict"] = "cancelled"
    except Exception as error:
        result["text"] = str(error)
`;

/** How the suite is run, and shown. */
export const RUN = String.raw`TROUBLE = ("expired", "lab_lost", "executor_lost")
MARKS = {"passed": "✓", "failed": "✗", "expected failure": "~", "unexpected pass": "✗", "wrong options": "!", "trouble": "!", "running": "…", "waiting": "…", "cancelled": "-"}
BAD = ("failed", "unexpected pass", "wrong options", "trouble", "cancelled")
results = {case["name"]: {"verdict": "waiting"} for case in CASES}
stopped = threading.Event()


def verdict_of(case, job):
    error, raised = job.get("error"), job.get("ipynb_error")
    if error and error.get("reason") == "cancelled":
        return "cancelled", error.get("message", "")
    # Noteburst 0.27 tells no reason: what is no timeout says nothing of the notebook.
    if error and (error["reason"] in TROUBLE if "reason" in error else error.get("code") != "timeout"):
        return "trouble", error.get("message", "")
    # There was nothing to run it with: it has not failed as expected.
    if error and error.get("reason") == "unknown_kernel":
        return "wrong options", error.get("message", "")
    expected = case.get("expected_failure")
    if not error and not raised:
        return ("unexpected pass", expected["reason"]) if expected else ("passed", "")
    name = raised["name"] if raised else error.get("reason") or error.get("code")
    text = f'{raised["name"]}: {raised["message"]}' if raised else error.get("message", "")
    if expected and expected.get("error") in (None, name):
        return "expected failure", expected["reason"]
    return "failed", text


def verdict_of_refusal(refused):
    """Of a notebook that was not taken: its own fault, that of its options, or nothing is known of it."""
    loc = refused.detail.get("loc") or []
    field = loc[1] if loc[:1] == ["body"] and len(loc) > 1 else "ipynb"
    is_invalid = refused.status == 422 and refused.detail.get("type") != "idempotency_key_reused"
    if is_invalid and field != "ipynb":
        return "wrong options"
    return "failed" if is_invalid or refused.status == 413 else "trouble"


def run(case):
    result = results[case["name"]]
    begun = time.monotonic()
    try:
        try:
            ipynb = Path(case["path"]).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            return result.update(verdict="failed", text=str(error), seconds=0)
        result["url"] = submit({"ipynb": ipynb, **case["submission"]})
        if stopped.is_set():  # between the two
            return cancel(result)

        def seen(now):
            done = now.get("progress")
            result["verdict"] = "running" if done else "waiting"
            result["text"] = f'{done["cells_done"]} of {done["cells_total"]} cells' if done else ""

        job = wait_for(result["url"], seen)
        result["verdict"], result["text"] = verdict_of(case, job)
        result["traceback"] = "\n".join(job.get("traceback", []))
    except Refused as error:
        result["verdict"], result["text"] = verdict_of_refusal(error), str(error)
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


ANSI = re.compile(r"\x1b\[[0-9;]*m")
shown = display(table(), display_id=True)
pool = ThreadPoolExecutor(max_workers=AT_ONCE)
runs = [pool.submit(run, case) for case in CASES]
try:
    while not all(run.done() for run in runs):
        time.sleep(1)
        shown.update(table())
except KeyboardInterrupt:
    stopped.set()
    pool.shutdown(wait=False, cancel_futures=True)
    begun = [result for result in results.values() if "url" in result and "seconds" not in result]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as cancelling:
        list(cancelling.map(cancel, begun))
    for result in results.values():
        if "url" not in result and "seconds" not in result:
            result["verdict"] = "cancelled"
    raise
finally:
    shown.update(table())
`;

/** The verdict, so that the super-notebook itself fails when it is run headless. */
export const VERDICT = String.raw`bad = [name for name, result in results.items() if result["verdict"] in BAD]
print(f"{len(results) - len(bad)} of {len(results)} are well")
if bad:
    raise RuntimeError("not well: " + ", ".join(bad))
`;
