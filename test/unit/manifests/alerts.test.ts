import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '../../../platform/state.ts';
import { CourierMetrics } from '../../../workers/courier/metrics.ts';
import { ExecutorMetrics } from '../../../workers/executor/metrics.ts';

interface Rules {
  groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[];
}
const text = readFileSync(join(ROOT, 'deploy/prometheus/rules.yaml'), 'utf8');
const rules = (parse(text) as Rules).groups.flatMap((group) => group.rules);

test('each alert is about metrics that workers have', async () => {
  const registries = [new ExecutorMetrics(), new CourierMetrics()].map(({ registry }) => registry);
  const metrics = await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()));
  const known = metrics.flat().map(({ name }) => name);
  const asked = rules.flatMap(({ expr }) => expr.match(/noteburst_\w+/g) ?? []);
  expect(asked.length).toBeGreaterThan(3);
  expect(asked.filter((name) => !known.includes(name.replace(/_(count|sum|bucket)$/, '')))).toEqual([]);
});

test('each alert is explained, and none that there is not', () => {
  const page = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8');
  const explained = [...page.matchAll(/^\| `(Noteburst\w+)` \|/gm)].map(([, name]) => name);
  expect(explained).toEqual(rules.map(({ alert }) => alert));
  for (const { annotations } of rules) expect(annotations.summary).toMatch(/\w/);
});
