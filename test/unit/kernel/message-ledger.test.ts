import { assert, integer, property, uniqueArray } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MessageLedger, numberOf } from '../../../workers/executor/kernel/message-ledger.ts';
import { makeMessage } from '../../../workers/executor/kernel/messages.ts';

function named(id: string, session: string) {
  const message = makeMessage('kernel_info_request', 'shell', {}, session);
  message.header.msg_id = id;
  return message;
}

describe('numberOf', () => {
  test('reads process and number of jupyter_client’s names, and of no others', () => {
    expect(numberOf(named('a-b_c_123_45', 'a-b_c'))).toEqual({ pid: 123, number: 45 });
    expect(numberOf(named('0d1f8f0e-2b1a-4ae4-a1b1-0a8b1c2d3e4f', 'a'))).toBeUndefined();
    expect(numberOf(named('other_1_2', 'a'))).toBeUndefined();
  });
});

describe('MessageLedger', () => {
  test('knows nothing of kernels that do not number their messages', () => {
    expect(new MessageLedger().isComplete(undefined)).toBe(false);
  });

  test('is complete exactly when every number came, in whatever order', () => {
    const numbers = uniqueArray(integer({ min: 1, max: 60 }), { minLength: 1 });
    assert(
      property(numbers, integer({ min: 0, max: 60 }), (numbers, from) => {
        const ledger = new MessageLedger();
        ledger.note(0);
        for (const number of numbers) ledger.note(number);
        const seen = new Set(numbers);
        const last = Math.max(...numbers);
        const missing = Array.from({ length: last }, (_, n) => n + 1).filter((n) => n > from && !seen.has(n));
        expect(ledger.isComplete(from)).toBe(missing.length === 0);
      }),
    );
  });

  test('asks for no more than the end that counts', () => {
    const ledger = new MessageLedger();
    for (const number of [7, 8, 9, 12]) ledger.note(number);
    expect(ledger.isComplete(7)).toBe(false);
    expect(ledger.isComplete(7, 9)).toBe(true);
  });

  test('gives up on a leap, instead of keeping millions of numbers', () => {
    const ledger = new MessageLedger();
    ledger.note(1);
    ledger.note(5_000_000);
    expect(ledger.isComplete(5_000_000)).toBe(false);
  });
});
