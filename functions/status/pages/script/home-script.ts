/** Submits the notebook that was picked or dropped, and goes to its job's page. */
export const homeScript = `
'use strict';
(() => {
  const form = document.getElementById('submit');
  const drop = document.getElementById('drop');
  const message = document.getElementById('message');
  const { file, run } = form.elements;
  const { url } = form.dataset;

  for (const type of ['dragenter', 'dragover']) {
    drop.addEventListener(type, (event) => { event.preventDefault(); drop.classList.add('over'); });
  }
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  drop.addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    if (event.dataTransfer.files.length > 0) file.files = event.dataTransfer.files;
  });

  const parametersOf = (text) => {
    try {
      return JSON.parse(text);
    } catch {
      throw new Error('The parameters are not JSON, such as {"night": "2026-11-20"}');
    }
  };
  const bodyOf = async () => {
    const { kernel_name, timeout, parameters } = form.elements;
    const [notebook] = file.files;
    // The first tag is what pages call the job.
    const body = { ipynb: await notebook.text(), tags: [notebook.name.slice(-64)] };
    if (kernel_name.value) body.kernel_name = kernel_name.value;
    if (timeout.value) body.timeout = timeout.value;
    if (parameters.value.trim()) body.parameters = parametersOf(parameters.value);
    return JSON.stringify(body);
  };
  const refusal = async (answer) => {
    const { detail } = await answer.json().catch(() => ({}));
    if (!Array.isArray(detail)) return 'The service answered ' + answer.status;
    return detail.map(({ loc, msg }) => [...(loc ?? []).slice(1), msg].join(': ')).join('; ');
  };

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    message.textContent = '';
    run.disabled = true;
    try {
      if (!file.files[0]) throw new Error('Please choose a notebook first');
      const body = await bodyOf();
      const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
      if (!answer.ok) throw new Error(await refusal(answer));
      const { job_id } = await answer.json();
      location.assign(url + encodeURIComponent(job_id));
    } catch (error) {
      message.textContent = error.message;
      run.disabled = false;
    }
  });
  // Coming back to this page by the browser's history finds the button as it was left.
  addEventListener('pageshow', () => { run.disabled = false; });
})();
`;
