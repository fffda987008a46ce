import { GitRepository } from '../../support/git-repository.ts';
import { FakeGithub } from '../../support/fake-github.ts';
import { Receiver } from '../../support/receiver.ts';
import { PrivateCa } from '../../support/tls-proxy.ts';

/** Of this machine, as the courier's pods know it. */
const NAME = 'outside.test';
export const REPOSITORY = 'team/tutorials';

/** What a courier talks to: a GitHub, with a repository, and a receiver of callbacks. */
export class Outside implements AsyncDisposable {
  readonly ca: PrivateCa;
  readonly git: GitRepository;
  readonly github: FakeGithub;
  readonly receiver: Receiver;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    ca: PrivateCa,
    git: GitRepository,
    github: FakeGithub,
    receiver: Receiver,
    stack: AsyncDisposableStack,
  ) {
    this.ca = ca;
    this.git = git;
    this.github = github;
    this.receiver = receiver;
    this.#stack = stack;
  }

  /** @param host the address at which pods reach this machine */
  static async start(host: string): Promise<Outside> {
    await using stack = new AsyncDisposableStack();
    const ca = stack.use(await PrivateCa.make(NAME, host));
    const git = stack.use(new GitRepository(REPOSITORY));
    const github = stack.use(await FakeGithub.start(ca, git));
    const receiver = stack.use(await Receiver.start(ca));
    return new Outside(ca, git, github, receiver, stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
