/** Has things done one after the other, in the order in which they were asked for. */
export class Turns {
  /** The end of what was asked for last. */
  #last: Promise<unknown> = Promise.resolve();

  /** @returns what it comes to; what fails keeps no other from its turn */
  take<T>(act: () => Promise<T>): Promise<T> {
    const own = this.#last.then(act);
    this.#last = own.catch(() => undefined);
    return own;
  }
}
