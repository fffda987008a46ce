import { UsageError } from './exit-code.ts';

/** @throws {UsageError} when what was given for an option is no whole number in these bounds; yargs makes NaN of a text */
export function checkWholeNumber(option: string, value: number, most = Number.MAX_SAFE_INTEGER): true {
  if (Number.isInteger(value) && value >= 1 && value <= most) return true;
  const bounds = most === Number.MAX_SAFE_INTEGER ? 'from 1' : `from 1 to ${most}`;
  throw new UsageError(`${option} should be a number ${bounds}`);
}
