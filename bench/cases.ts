/** The notebooks that are timed: the same for the service and its peers. */
export interface Case {
  name: string;
  title: string;
  cells: string[];
}

export const FIVE: Case = {
  name: 'five',
  title: 'Five trivial cells',
  cells: Array.from({ length: 5 }, (_, n) => `print(${n})`),
};
export const HUNDRED: Case = {
  name: 'hundred',
  title: '100 trivial cells',
  cells: Array.from({ length: 100 }, (_, n) => `print(${n})`),
};
export const PLOT: Case = {
  name: 'plot',
  title: 'A matplotlib plot',
  cells: [
    'import numpy as np\nimport matplotlib.pyplot as plt',
    'x = np.linspace(0, 6, 500)\nfig, ax = plt.subplots()\nax.plot(x, np.sin(x))\nplt.show()',
  ],
};
/** One message: what a large table or image is. */
export const TEN_MB: Case = {
  name: 'ten-mb',
  title: '10 MB of output',
  cells: ['from IPython.display import display, HTML\ndisplay(HTML("x" * 10_000_000))'],
};
export const SLEEPER: Case = { name: 'sleeper', title: 'Sleeps 2 s', cells: ['import time; time.sleep(2)'] };

export const SLEEPERS = 8;
export const BURST = 200;

export function notebookOf({ cells }: Case) {
  return {
    nbformat: 4,
    nbformat_minor: 4,
    metadata: { kernelspec: { name: 'python3', display_name: 'Python 3', language: 'python' } },
    cells: cells.map((source) => ({
      cell_type: 'code' as const,
      source,
      metadata: {},
      outputs: [],
      execution_count: null,
    })),
  };
}
