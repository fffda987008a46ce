/** How GitHub's runner reads what a step prints (actions/runner, ActionCommand and ActionCommandManager). */

export interface Command {
  name: string;
  properties: Record<string, string>;
  message: string;
}

export interface Printed {
  commands: Command[];
  /** What is left for the log. */
  lines: string[];
}

const KNOWN = new Set([
  'error',
  'warning',
  'notice',
  'debug',
  'group',
  'endgroup',
  'add-mask',
  'set-output',
  'set-env',
  'add-path',
  'save-state',
  'add-matcher',
  'remove-matcher',
  'echo',
]);

export function readPrinted(stdout: string): Printed {
  const commands: Command[] = [];
  const lines: string[] = [];
  let resume: string | undefined;
  for (const line of stdout.split(/\r\n|\r|\n/)) {
    const stop = /^\s*::stop-commands::(.+)$/.exec(line);
    if (resume !== undefined) {
      if (line.trim() === `::${resume}::`) resume = undefined;
      else lines.push(line);
    } else if (stop) {
      resume = stop[1];
    } else {
      const command = commandOf(line);
      if (command && KNOWN.has(command.name)) commands.push(command);
      else lines.push(line);
    }
  }
  return { commands, lines };
}

/** `::name key=value,…::message`, or the older `##[name key=value;…]message`, which may begin anywhere in the line. */
function commandOf(line: string): Command | undefined {
  const now = /^\s*::([\w-]+)(?: (.*?))?::(.*)$/.exec(line);
  if (now) return toCommand(now, ',');
  const older = /##\[([\w-]+)(?: (.*?))?\](.*)$/.exec(line);
  return older ? toCommand(older, ';') : undefined;
}

function toCommand([, name = '', pairs = '', message = '']: RegExpExecArray, separator: string): Command {
  const properties = pairs.split(separator).flatMap((pair) => {
    const at = pair.indexOf('=');
    return at < 1 ? [] : [[pair.slice(0, at), unescaped(pair.slice(at + 1))]];
  });
  return {
    name,
    properties: Object.fromEntries(properties) as Record<string, string>,
    message: unescaped(message),
  };
}

const ESCAPES: Record<string, string> = { '%25': '%', '%0D': '\r', '%0A': '\n', '%3A': ':', '%2C': ',' };

const unescaped = (text: string): string =>
  text.replaceAll(/%(25|0D|0A|3A|2C)/g, (found) => ESCAPES[found] ?? found);
