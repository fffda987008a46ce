import { codeCell, ipynb } from '../support/notebooks.ts';

/** A notebook of some cells; they are Python that the fake kernels understand as well. */
export const cellsOf = (...sources: string[]): string => ipynb({ cells: sources.map(codeCell) });

export const quick = (): string => cellsOf("print('begun')", "print('ended')");

/** Busy for so long in its second cell. */
export const lasting = (seconds: number): string =>
  cellsOf("print('begun')", `import time; time.sleep(${seconds})`, "print('ended')");
