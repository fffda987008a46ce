import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../platform/state.ts';
import type { Rate } from './http/throughput.ts';
import type { Sample } from './statistics.ts';

/** One line of a table: who, how long, and against whom it is held. */
export interface Row {
  who: string;
  times: Sample;
}

/** Collects what was measured; prints it as it comes and writes it to a page of docs/ at the end. */
export class Report {
  readonly #lines: string[] = [];
  readonly #page: string;

  /** @param page the name of its file */
  constructor(page: string, title: string, command: string) {
    this.#page = join(ROOT, 'docs', page);
    const gib = Math.round(totalmem() / 2 ** 30);
    const cpu = cpus()[0]?.model ?? 'unknown processor';
    this.#say(`# ${title}\n`);
    this.#say(
      `Written by \`${command}\`, which measures everything below in one run on one machine; what counts are the`,
    );
    this.#say('ratios. Medians, with minimum and maximum, in milliseconds.\n');
    this.#say(
      `Machine: ${availableParallelism()} cores (${cpu.trim()}), ${gib} GiB; Node ${process.version}.\n`,
    );
  }

  /** A table whose last column says how many times as long each row takes as the first. */
  table(title: string, rows: Row[]): void {
    const base = rows[0]?.times.median ?? Number.NaN;
    this.#say(`## ${title}\n`);
    this.#say('| | median | min – max | runs | times ours |');
    this.#say('| --- | ---: | ---: | ---: | ---: |');
    for (const { who, times } of rows) {
      const range = `${ms(times.min)} – ${ms(times.max)}`;
      const ratio = (times.median / base).toFixed(2);
      this.#say(`| ${who} | ${ms(times.median)} | ${range} | ${times.runs} | ${ratio} |`);
    }
    this.#say('');
  }

  /** A table whose last column says what part each rate is of that of `base`. */
  rates(title: string, rows: Rate[], base: string): void {
    const whole = rows.find(({ who }) => who === base)?.perSecond ?? Number.NaN;
    this.#say(`## ${title}\n`);
    this.#say('| | requests per second | p99, ms | of the empty function |');
    this.#say('| --- | ---: | ---: | ---: |');
    for (const { who, perSecond, p99 } of rows) {
      this.#say(`| ${who} | ${perSecond.toFixed(0)} | ${p99} | ${Math.round((perSecond / whole) * 100)} % |`);
    }
    this.#say('');
  }

  text(title: string, lines: string[]): void {
    this.#say(`## ${title}\n`);
    for (const line of lines) this.#say(line);
    this.#say('');
  }

  write(): void {
    writeFileSync(this.#page, `${this.#lines.join('\n').trimEnd()}\n`);
  }

  #say(line: string): void {
    console.log(line);
    this.#lines.push(line);
  }
}

const ms = (value: number): string => value.toFixed(value < 100 ? 1 : 0);
