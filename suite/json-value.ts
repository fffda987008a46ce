/**
 * Why a value that YAML can say cannot be sent as JSON, which would put null in the place of a number that it has not;
 * undefined when it can.
 */
export function jsonProblem(value: unknown): string | undefined {
  try {
    JSON.stringify(value, (name, part: unknown) => {
      if (typeof part !== 'number' || Number.isFinite(part)) return part;
      throw new Error(`${name}: JSON has no number ${part}`);
    });
    return undefined;
  } catch (error) {
    // The engine draws a circle over several lines.
    return error instanceof TypeError ? 'a value holds itself' : (error as Error).message;
  }
}
