/** Filters by text and sorts; without it the page shows everything, and its check boxes filter by verdict. */
export const reportScript = `
'use strict';
(() => {
  const table = document.querySelector('table');
  if (!table) return;
  const cases = [...table.tBodies];
  const search = document.getElementById('search');
  const shown = document.getElementById('shown');
  const boxes = [...document.querySelectorAll('.filters input')];
  const texts = new Map(cases.map((row) => [row, row.textContent.toLowerCase()]));

  const filter = () => {
    const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
    for (const row of cases) row.hidden = !words.every((word) => texts.get(row).includes(word));
    const off = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
    const count = cases.filter((row) => !row.hidden && !off.has(row.dataset.verdict)).length;
    shown.textContent = count === cases.length ? '' : count + ' of ' + cases.length + ' are shown';
  };
  search.closest('label').hidden = false;
  search.addEventListener('input', filter);
  for (const box of boxes) box.addEventListener('change', filter);

  // A link to what is filtered away shows everything again.
  addEventListener('hashchange', () => {
    const row = document.getElementById(location.hash.slice(1));
    if (!row || row.offsetParent) return;
    search.value = '';
    for (const box of boxes) box.checked = true;
    filter();
    row.scrollIntoView();
  });

  const heads = [...table.tHead.rows[0].cells].filter((head) => head.dataset.key);
  const keyOf = (row, key) => (key === 'name' ? row.dataset.name : Number(row.dataset[key]));
  const compare = (key) => (a, b) => {
    const [x, y] = [keyOf(a, key), keyOf(b, key)];
    return typeof x === 'string' ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
  };
  for (const head of heads) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener('click', () => {
      // Of times, the longest is looked for.
      const first = head.dataset.key === 'seconds' ? 'descending' : 'ascending';
      const second = first === 'ascending' ? 'descending' : 'ascending';
      const order = head.getAttribute('aria-sort') === first ? second : first;
      for (const other of heads) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', order);
      cases.sort(compare(head.dataset.key));
      table.append(...(order === 'ascending' ? cases : cases.toReversed()));
    });
  }
})();
`;
