/**
 * Keeps a job's page up to date while the job runs: what has changed is fetched as the server renders it, at most once
 * a second when something has happened, and the notebook's part of it is handed to its frame.
 */
export const jobScript = `
'use strict';
(() => {
  const AT_MOST_EVERY_MS = 1000, LOOK_EVERY_MS = 5000, MAX_HEIGHT = 4000000;
  const job = document.getElementById('job');
  const frame = document.getElementById('notebook');
  const message = document.getElementById('message');
  const { url, view } = job.dataset;
  let isLive = job.dataset.live === 'true';

  addEventListener('message', ({ source, data }) => {
    if (source !== frame.contentWindow) return;
    if (Number.isFinite(data.height)) frame.style.height = Math.min(Math.max(data.height, 100), MAX_HEIGHT) + 2 + 'px';
    if (Number.isFinite(data.top)) scrollTo({ top: frame.getBoundingClientRect().top + scrollY + data.top - 16 });
  });
  job.addEventListener('click', (event) => {
    const find = event.target.closest('[data-find]');
    if (!find) return;
    event.preventDefault();
    frame.focus();
    frame.contentWindow.postMessage({ find: find.dataset.find }, '*');
  });
  job.addEventListener('click', async (event) => {
    const button = event.target.closest('[data-cancel]');
    if (!button) return;
    button.disabled = true;
    try {
      const answer = await fetch(url, { method: 'DELETE' });
      if (!answer.ok) throw new Error('The service answered ' + answer.status);
      await refresh();
    } catch (error) {
      button.disabled = false;
      message.textContent = 'The job was not cancelled. ' + error.message;
    }
  });

  const pageOf = async (path) => {
    const answer = await fetch(path, { headers: { Accept: 'text/html' } });
    if (!answer.ok) throw new Error('The service answered ' + answer.status);
    return answer.text();
  };
  const refresh = async () => {
    const now = new DOMParser().parseFromString(await pageOf(url), 'text/html');
    for (const part of job.querySelectorAll('[data-part]')) {
      const next = now.getElementById(part.id);
      if (next && next.innerHTML !== part.innerHTML) part.replaceChildren(...next.childNodes);
    }
    document.title = now.title;
    isLive = now.getElementById('job').dataset.live === 'true';
    message.textContent = '';
  };
  const refreshNotebook = async () => frame.contentWindow.postMessage({ html: await pageOf(view) }, '*');

  let hasNews = false, timer, isAt = 0;
  const soon = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(look, Math.max(ms, isAt + AT_MOST_EVERY_MS - performance.now()));
  };
  const look = async () => {
    isAt = performance.now();
    try {
      const wasNews = hasNews;
      hasNews = false;
      await refresh();
      if (wasNews || !isLive) await refreshNotebook();
      if (!isLive) return events?.close();
    } catch (error) {
      message.textContent = 'This page is not up to date: ' + error.message;
      hasNews = true;
    }
    soon(hasNews ? 0 : LOOK_EVERY_MS);
  };
  let events;
  if (!isLive) return;
  const news = () => { hasNews = true; soon(0); };
  events = new EventSource(url + '/events');
  for (const type of ['job_started', 'cell_started', 'cell_finished', 'output', 'outputs_cleared', 'job_ended']) {
    events.addEventListener(type, news);
  }
  // What was handed over before the frame could take it counts for nothing.
  frame.addEventListener('load', news);
  soon(LOOK_EVERY_MS);
})();
`;
