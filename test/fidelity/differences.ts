import type { Output } from '../../lib/contract/nbformat.ts';
import type { LabKind } from '../../platform/state.ts';
import type { NbclientOutcome } from './nbclient.ts';

export interface Difference {
  /** The heading in docs/fidelity.md that gives the reason. */
  heading: string;
  /** The kinds of lab that show it; all of them when absent. */
  kinds?: readonly LabKind[];
  /** Makes of what nbclient's run came to, normalised, what is expected of ours. */
  change: (theirs: NbclientOutcome) => void;
}

/** What is different in ours on purpose on a kind of lab, by the name of the notebook that shows it. */
export function differencesOn(kind: LabKind): Record<string, Difference> {
  const shown = Object.entries(DIFFERENCES).filter(([, { kinds }]) => kinds?.includes(kind) ?? true);
  return Object.fromEntries(shown);
}

const DIFFERENCES: Record<string, Difference> = {
  'execution-count-set-by-the-notebook': {
    heading: "Execution counts are the kernel's",
    change: ({ notebook }) => {
      for (const [index, count] of [40, 41].entries()) cellOf(notebook, index)['execution_count'] = count;
    },
  },
  'threads-that-print-after-their-cell': {
    heading: 'Late output is kept',
    // From ipykernel 7 on it is output of the cell that runs, with nbclient too.
    kinds: ['std6', 'jsd'],
    change: ({ notebook }) => appendTo(notebook, 0, 'late\n'),
  },
  'tasks-that-print-after-their-cell': {
    heading: 'Late output is kept',
    change: ({ notebook }) => appendTo(notebook, 0, 'later\n'),
  },
};

type Cells = NbclientOutcome['notebook'];

function cellOf(notebook: Cells, index: number): Record<string, unknown> {
  return notebook.cells[index] as Record<string, unknown>;
}

function appendTo(notebook: Cells, index: number, text: string): void {
  const [output] = cellOf(notebook, index)['outputs'] as [Extract<Output, { output_type: 'stream' }>];
  output.text = `${output.text as string}${text}`;
}
