import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import { NoteburstClient } from '../../client/client.ts';
import { credentialsPath, writeCredentials } from '../credentials.ts';
import { UsageError } from '../exit-code.ts';
import { address, serviceAddress, type ConnectionArguments } from '../options.ts';
import { askSecret } from '../terminal/secret.ts';

type LoginArguments = ConnectionArguments & { check: boolean };

export const loginCommand: CommandModule<ConnectionArguments, LoginArguments> = {
  command: 'login',
  describe: 'Keep the address of a service and your token for it, or check them',
  builder: (command) =>
    command
      .option('check', {
        type: 'boolean',
        default: false,
        describe: 'Only say whether the service takes the token',
      })
      .example('$0 login --base-url https://data.example.org/noteburst', 'Ask for the token and keep it')
      .example('$0 login --check', 'Exit code 0 when all is well, 3 when not'),
  handler: login,
};

async function login(args: ArgumentsCamelCase<LoginArguments>): Promise<void> {
  const { baseUrl, token } = args.check ? address(args) : await ask(args);
  await new NoteburstClient({ baseUrl, token, patienceMs: 5_000 }).list({ limit: 1 });
  if (!args.check) {
    writeCredentials({ base_url: baseUrl, token });
    console.log(`Kept in ${credentialsPath()}`);
  }
  console.log(`${baseUrl} takes the token.`);
}

async function ask(args: ConnectionArguments): Promise<{ baseUrl: string; token: string }> {
  if (!args['base-url'])
    throw new UsageError(
      'Which service? For example: noteburst login --base-url https://data.example.org/noteburst',
    );
  const baseUrl = serviceAddress(args['base-url']);
  if (args.token) return { baseUrl, token: args.token };
  const page = new URL('/auth/tokens', baseUrl).href;
  const token = await askSecret(`A token with the scope exec:notebook (make one at ${page}): `);
  if (!token) throw new UsageError('No token was given');
  return { baseUrl, token };
}
