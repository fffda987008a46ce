import { MalformedMessageError } from './kernel-error.ts';
import { isObject, type Header, type JsonObject, type KernelMessage } from './messages.ts';

/**
 * The binary frames of the websocket subprotocol `v1.kernel.websocket.jupyter.org`
 * (jupyter_server, "Websocket kernel wire protocols"):
 *
 *     count: u64le | offset[0..count-1]: u64le | channel | header | parent_header | metadata | content | buffer…
 *
 * Part i lies between offset[i] and offset[i+1]; the last offset is the end. Offsets count from the frame's start.
 */
export const SUBPROTOCOL = 'v1.kernel.websocket.jupyter.org';

const WORD = 8;
/** Unlike Buffer's toString it keeps large texts in V8's heap, where garbage is collected sooner, and is faster. */
const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });
/** Channel and the four JSON parts; buffers follow. */
const FIXED_PARTS = 5;

/** Serializes a message into one frame. */
export function encodeMessage(message: KernelMessage): Uint8Array {
  const json = [message.header, message.parent_header, message.metadata, message.content];
  const parts: Uint8Array[] = [
    Buffer.from(message.channel),
    ...json.map((part) => Buffer.from(JSON.stringify(part))),
    ...message.buffers,
  ];
  const count = parts.length + 1;
  const head = Buffer.alloc(WORD * (count + 1));
  head.writeBigUInt64LE(BigInt(count), 0);
  let offset = head.length;
  for (const [index, part] of parts.entries()) {
    head.writeBigUInt64LE(BigInt(offset), WORD * (index + 1));
    offset += part.length;
  }
  head.writeBigUInt64LE(BigInt(offset), WORD * count);
  return Buffer.concat([head, ...parts], offset);
}

/**
 * Reads one frame. `buffers` are views into it, not copies.
 *
 * @throws MalformedMessageError whatever the bytes are; never anything else
 */
export function decodeMessage(frame: Uint8Array): KernelMessage {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const offsets = readOffsets(bytes);
  const part = (index: number) => bytes.subarray(offsets[index], offsets[index + 1]);
  // Python escapes lone surrogates into bytes that are not UTF-8; like jupyter_client we read them as U+FFFD.
  const header = parseObject(part(1), 'header');
  if (typeof header['msg_id'] !== 'string' || typeof header['msg_type'] !== 'string') {
    throw new MalformedMessageError('its header has no msg_id or no msg_type');
  }
  return {
    channel: part(0).toString('utf8'),
    header: header as unknown as Header,
    parent_header: parseObject(part(2), 'parent_header'),
    metadata: parseObject(part(3), 'metadata'),
    content: parseObject(part(4), 'content'),
    buffers: offsets.slice(FIXED_PARTS, -1).map((_, index) => part(FIXED_PARTS + index)),
  };
}

function readOffsets(bytes: Buffer): number[] {
  const count = readWord(bytes, 0);
  if (count < FIXED_PARTS + 1) throw new MalformedMessageError(`${count} offsets, at least 6 are needed`);
  const headLength = WORD * (count + 1);
  if (headLength > bytes.length) throw new MalformedMessageError('its table of offsets is cut off');
  const offsets: number[] = [];
  let least = headLength;
  for (let index = 1; index <= count; index++) {
    const offset = readWord(bytes, WORD * index);
    if (offset < least || offset > bytes.length) {
      throw new MalformedMessageError(`offset ${offset} is not between ${least} and ${bytes.length}`);
    }
    offsets.push(offset);
    least = offset;
  }
  return offsets;
}

function readWord(bytes: Buffer, position: number): number {
  if (bytes.length < position + WORD) throw new MalformedMessageError('it ends within its first words');
  const high = bytes.readUInt32LE(position + 4);
  // Anything above 2^53 is beyond every real frame, and beyond what a number holds.
  return high > 0x1f_ff_ff ? Infinity : high * 2 ** 32 + bytes.readUInt32LE(position);
}

function parseObject(bytes: Buffer, name: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(UTF8.decode(bytes));
  } catch (cause) {
    throw new MalformedMessageError(`its ${name} is not JSON`, { cause });
  }
  if (!isObject(value)) throw new MalformedMessageError(`its ${name} is not an object`);
  return value;
}
