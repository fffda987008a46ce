/**
 * Runs in the document that shows a notebook, without an origin: tells the page around it how high it is, takes the
 * cells that the page hands over, and says where one is. Nothing that it takes can run: the document's policy allows
 * this script only.
 */
export const frameScript = `
'use strict';
(() => {
  if (parent === window) return;
  const notebook = document.querySelector('.notebook');
  const tell = (message) => parent.postMessage(message, '*');
  new ResizeObserver(() => tell({ height: document.body.offsetHeight })).observe(document.body);
  const show = (html) => {
    const cells = [...new DOMParser().parseFromString(html, 'text/html').querySelectorAll('.notebook > *')];
    const shown = [...notebook.children];
    cells.forEach((cell, index) => {
      if (!shown[index]) notebook.append(cell);
      else if (shown[index].outerHTML !== cell.outerHTML) shown[index].replaceWith(cell);
    });
    for (const old of shown.slice(cells.length)) old.remove();
  };
  addEventListener('message', ({ source, data }) => {
    if (source !== parent) return;
    if (typeof data.html === 'string') show(data.html);
    if (typeof data.find !== 'string') return;
    const found = document.getElementById(data.find);
    if (found) tell({ top: found.closest('.cell').getBoundingClientRect().top });
  });
})();
`;
