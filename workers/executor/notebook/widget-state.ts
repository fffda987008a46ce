import { isObject, type CommMessage, type JsonObject, type KernelMessage } from '../kernel/messages.ts';
import type { Output } from '../../../lib/contract/nbformat.ts';
import { OutputArea } from './output-area.ts';
import { BudgetedEntries, bytesOf, type OutputBudget } from './output-budget.ts';

/** https://github.com/jupyter-widgets/ipywidgets, packages/schema: where a notebook keeps its widgets. */
const WIDGET_STATE_MIME = 'application/vnd.jupyter.widget-state+json';

/** What a widget takes in the notebook besides its id and state: the names around them. */
const WIDGET_BYTES = 100;

interface EncodedBuffer {
  data: string;
  encoding: 'base64';
  path: unknown;
}

/**
 * The frontend's half of the notebook's widgets, as nbclient mimics it: their state, kept from comm messages for
 * `metadata.widgets`, and the one widget that changes where outputs go, `Output`: with `msg_id` set, it captures what
 * comes with that parent.
 */
export class WidgetState {
  readonly #states = new Map<string, JsonObject>();
  readonly #buffers = new Map<string, Map<string, EncodedBuffer>>();
  readonly #outputWidgets = new Map<string, OutputArea>();
  /** By msg_id, innermost last: Output widgets nest. */
  readonly #captures = new Map<string, string[]>();
  readonly #capturing = new Map<string, string>();
  /** Output widgets whose kernel side does not know yet what they caught. */
  readonly #unsynced = new Set<string>();
  readonly #budget: OutputBudget;
  readonly #entries: BudgetedEntries;

  constructor(budget: OutputBudget) {
    this.#budget = budget;
    this.#entries = new BudgetedEntries(budget);
  }

  /**
   * Takes in a comm_open, comm_msg or comm_close. State outlives the comm, as in nbclient.
   *
   * @returns false when there was no room for some of it
   */
  onComm(message: KernelMessage): boolean {
    const { comm_id: commId, data } = message.content;
    if (typeof commId !== 'string' || !isObject(data) || !isObject(data['state'])) return true;
    const state = data['state'];
    if (!this.#entries.replace(commId, commId.length + WIDGET_BYTES)) return false;
    if (message.header.msg_type === 'comm_open' && isOutputWidget(message.content['target_name'], state)) {
      this.#outputWidgets.set(commId, new OutputArea(this.#budget));
    }
    const kept = this.#keepState(commId, state);
    const keptBuffers = this.#keepBuffers(commId, data['buffer_paths'], message.buffers);
    if (this.#outputWidgets.has(commId)) this.#onOutputWidgetState(commId, state);
    return kept && keptBuffers;
  }

  /**
   * Offers an output to the widget that captures its parent's.
   *
   * @returns whether one took it
   */
  capture(parentId: string | undefined, output: Output): boolean {
    return this.#intoCapture(parentId, (area) => area.append(output));
  }

  /** As `capture`, for clear_output. */
  captureClear(parentId: string | undefined, wait: boolean): boolean {
    return this.#intoCapture(parentId, (area) => area.clear(wait));
  }

  /**
   * The comm_msgs that tell the kernel what its Output widgets hold (`widget.outputs`). nbclient sends the whole list
   * for each output; the kernel handles none before its cell ends, so once for each cell tells it the same.
   */
  takeComms(): CommMessage[] {
    const comms = [...this.#unsynced].map((commId) => ({
      comm_id: commId,
      data: {
        method: 'update',
        state: { outputs: this.#outputWidgets.get(commId)?.outputs ?? [] },
        buffer_paths: [],
      },
    }));
    this.#unsynced.clear();
    return comms;
  }

  /** The value of `metadata.widgets`, or undefined where no comm ever carried state. */
  toMetadata(): JsonObject | undefined {
    if (this.#states.size === 0) return undefined;
    const models: JsonObject = {};
    for (const [commId, state] of this.#states) {
      if (!('_model_name' in state)) continue;
      const buffers = this.#buffers.get(commId);
      models[commId] = {
        model_name: state['_model_name'],
        model_module: state['_model_module'] ?? null,
        model_module_version: state['_model_module_version'] ?? null,
        state,
        ...(buffers === undefined ? {} : { buffers: [...buffers.values()] }),
      };
    }
    return { [WIDGET_STATE_MIME]: { state: models, version_major: 2, version_minor: 0 } };
  }

  #keepState(commId: string, state: JsonObject): boolean {
    // Without a prototype: keys are whatever the notebook's code says.
    const known = this.#states.get(commId) ?? (Object.create(null) as JsonObject);
    this.#states.set(commId, known);
    let kept = true;
    for (const [key, value] of Object.entries(state)) {
      // An Output widget's outputs are counted as such.
      const counted = !(key === 'outputs' && this.#outputWidgets.has(commId));
      if (!counted || this.#entries.replace(`${commId} ${key}`, key.length + bytesOf(value)))
        known[key] = value;
      else kept = false;
    }
    return kept;
  }

  #keepBuffers(commId: string, paths: unknown, buffers: readonly Uint8Array[]): boolean {
    if (!Array.isArray(paths) || paths.length === 0) return true;
    const known = this.#buffers.get(commId) ?? new Map<string, EncodedBuffer>();
    this.#buffers.set(commId, known);
    let kept = true;
    for (const [index, path] of paths.slice(0, buffers.length).entries()) {
      const data = Buffer.from(buffers[index] ?? []).toString('base64');
      const key = JSON.stringify(path);
      if (this.#entries.replace(`${commId} buffer ${key}`, key.length + data.length)) {
        known.set(key, { data, encoding: 'base64', path });
      } else kept = false;
    }
    return kept;
  }

  #onOutputWidgetState(commId: string, state: JsonObject): void {
    if (Array.isArray(state['outputs'])) {
      // Set from the kernel (append_stdout, `widget.outputs = …`): nbclient's mimic overlooks it, a frontend shows it.
      const area = this.#outputWidgets.get(commId);
      area?.clear(false);
      for (const output of state['outputs'].filter(isObject)) area?.append({ ...output } as Output);
      const known = this.#states.get(commId);
      if (known !== undefined) known['outputs'] = area?.outputs ?? [];
    }
    if (!('msg_id' in state)) return;
    this.#stopCapturing(commId);
    const msgId = state['msg_id'];
    if (typeof msgId !== 'string' || msgId === '') return;
    this.#capturing.set(commId, msgId);
    this.#captures.set(msgId, [...(this.#captures.get(msgId) ?? []), commId]);
  }

  #stopCapturing(commId: string): void {
    const msgId = this.#capturing.get(commId);
    if (msgId === undefined) return;
    this.#capturing.delete(commId);
    const rest = (this.#captures.get(msgId) ?? []).filter((other) => other !== commId);
    if (rest.length === 0) this.#captures.delete(msgId);
    else this.#captures.set(msgId, rest);
  }

  #intoCapture(parentId: string | undefined, put: (area: OutputArea) => void): boolean {
    const commId = parentId === undefined ? undefined : this.#captures.get(parentId)?.at(-1);
    const area = commId === undefined ? undefined : this.#outputWidgets.get(commId);
    const state = commId === undefined ? undefined : this.#states.get(commId);
    if (commId === undefined || area === undefined || state === undefined) return false;
    put(area);
    state['outputs'] = area.outputs;
    this.#unsynced.add(commId);
    return true;
  }
}

function isOutputWidget(target: unknown, state: JsonObject): boolean {
  return (
    target === 'jupyter.widget' &&
    state['_model_module'] === '@jupyter-widgets/output' &&
    state['_model_name'] === 'OutputModel'
  );
}
