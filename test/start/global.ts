import { setUp as setUpPlatform } from '../../platform/setup/set-up.ts';
import { StepList } from '../../platform/setup/steps.ts';

/** vitest's global set-up of the tier: what only a first start has to download is no part of what its tests time. */
export default async function setUp(): Promise<void> {
  await setUpPlatform({ steps: new StepList() });
}
