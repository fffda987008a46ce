import { expect, test } from 'vitest';
import { IMAGE_SELECTORS, describeImage, labImage, spawnForm } from '../../../lib/contract/lab-image.ts';

test.each([
  ['recommended', { image_class: 'recommended' }],
  ['weekly', { image_class: 'latest-weekly' }],
  ['daily', { image_class: 'latest-daily' }],
  ['release', { image_class: 'latest-release' }],
  ['tag', { image_tag: 'w_2026_40' }],
  ['reference', { image_list: 'w_2026_40' }],
] as const)('%s is named in the spawn form as Nublado wants it', (selector, field) => {
  const image = labImage(selector, 'w_2026_40');
  expect(spawnForm(image, 'Large')).toEqual({ ...field, size: 'Large' });
  expect(describeImage(image)).toBe(Object.values(field)[0]);
  expect(IMAGE_SELECTORS).toContain(selector);
});

test('a tag or reference that is missing is said at once', () => {
  expect(() => labImage('reference', '')).toThrow('the image selector "reference" needs an image reference');
});
