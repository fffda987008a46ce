import * as fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { MalformedMessageError } from '../../../workers/executor/kernel/kernel-error.ts';
import { makeMessage, type KernelMessage } from '../../../workers/executor/kernel/messages.ts';
import { decodeMessage, encodeMessage } from '../../../workers/executor/kernel/websocket-codec.ts';

const jsonObject = fc
  .dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue())
  // JSON has no -0 and no own __proto__ worth keeping apart.
  .map((value) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>);

const message: fc.Arbitrary<KernelMessage> = fc.record({
  channel: fc.constantFrom('shell', 'control', 'iopub', 'stdin'),
  header: fc
    .uuid()
    .map((id) => ({ ...makeMessage('kernel_info_request', 'shell', {}, 's').header, msg_id: id })),
  parent_header: jsonObject,
  metadata: jsonObject,
  content: jsonObject,
  buffers: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 3 }),
});

const plain = (message: KernelMessage) => ({
  ...message,
  buffers: message.buffers.map((bytes) => [...bytes]),
});

describe('the v1 subprotocol', () => {
  test('decoding undoes encoding', () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(plain(decodeMessage(encodeMessage(sent)))).toEqual(plain(sent));
      }),
    );
  });

  test('any bytes at all give a message or a MalformedMessageError', () => {
    const table = fc
      .tuple(fc.array(fc.bigInt({ min: 0n, max: 200n }), { maxLength: 9 }), fc.uint8Array())
      .map(([words, rest]) => Buffer.concat([Buffer.from(new BigUint64Array(words).buffer), rest]));
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), table);
    fc.assert(
      fc.property(bytes, (bytes) => {
        expect(isReadOrRefused(bytes)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('a good frame with one byte changed gives a message or a MalformedMessageError', () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.nat(255), (sent, position, byte) => {
        const frame = encodeMessage(sent);
        frame[position % frame.length] = byte;
        expect(isReadOrRefused(frame)).toBe(true);
      }),
    );
  });

  test('a truncated frame is malformed, whatever its length', () => {
    const frame = encodeMessage(makeMessage('kernel_info_request', 'shell', {}, 'session'));
    for (let length = 0; length < frame.length; length++) {
      expect(() => decodeMessage(frame.subarray(0, length))).toThrow(MalformedMessageError);
    }
  });

  test('offsets beyond 2^53 do not become something smaller', () => {
    const frame = encodeMessage(makeMessage('kernel_info_request', 'shell', {}, 'session'));
    frame.fill(0xff, 8, 16);
    expect(() => decodeMessage(frame)).toThrow('offset Infinity');
  });

  test('bytes that are not UTF-8 are read as U+FFFD, as jupyter_client does', () => {
    const frame = encodeMessage({
      ...makeMessage('kernel_info_request', 'shell', {}, 's'),
      content: { a: '?' },
    });
    frame[frame.lastIndexOf('?'.charCodeAt(0))] = 0xff;
    expect(decodeMessage(frame).content).toEqual({ a: '\ufffd' });
  });
});

// Recorded by test/support/record_transcripts.py.
describe('frames recorded from a real server', () => {
  const folder = new URL('./transcripts/', import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  test.each(files.filter((file) => file.endsWith('.json')))('%s', (file) => {
    const transcript = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as { frames: string[] };
    for (const frame of transcript.frames.map((text) => Buffer.from(text, 'base64'))) {
      const decoded = decodeMessage(frame);
      expect(['shell', 'control', 'iopub']).toContain(decoded.channel);
      // Python puts spaces into JSON, so bytes are compared by what they mean.
      expect(plain(decodeMessage(encodeMessage(decoded)))).toEqual(plain(decoded));
    }
  });
});

function isReadOrRefused(bytes: Uint8Array): boolean {
  try {
    return decodeMessage(bytes).header.msg_id !== undefined;
  } catch (error) {
    return error instanceof MalformedMessageError;
  }
}
