export const IMAGE_SELECTORS = ['recommended', 'weekly', 'daily', 'release', 'tag', 'reference'] as const;
export const LAB_SIZES = ['Small', 'Medium', 'Large'] as const;

/** How large a lab is; what that means in cores and memory is the platform's to say. */
export type LabSize = (typeof LAB_SIZES)[number];

/** Which image a lab runs, in the terms of Nublado's spawn form. */
export type LabImage =
  | { readonly selector: 'recommended' | 'weekly' | 'daily' | 'release' }
  | { readonly selector: 'tag'; readonly tag: string }
  /** a Docker reference in full */
  | { readonly selector: 'reference'; readonly reference: string };

/**
 * Makes an image choice of two settings.
 *
 * @param selector how the image is chosen
 * @param reference the tag or the Docker reference, for the selectors of that name
 * @throws Error with a message for the operator if the reference is missing
 */
export function labImage(selector: (typeof IMAGE_SELECTORS)[number], reference?: string): LabImage {
  if (selector !== 'tag' && selector !== 'reference') return { selector };
  if (!reference) throw new Error(`the image selector "${selector}" needs an image reference`);
  return selector === 'tag' ? { selector, tag: reference } : { selector, reference };
}

/** The fields of the spawn form. Exactly one of image_class, image_tag and image_list names the image. */
export function spawnForm(image: LabImage, size: LabSize): Record<string, string> {
  return { ...imageField(image), size };
}

/** One word for requests, for logs and for the notebook's environment: `latest-weekly`, a tag, a reference. */
export function describeImage(image: LabImage): string {
  return Object.values(imageField(image)).join();
}

function imageField(image: LabImage): Record<string, string> {
  switch (image.selector) {
    case 'recommended':
      return { image_class: 'recommended' };
    case 'weekly':
    case 'daily':
    case 'release':
      return { image_class: `latest-${image.selector}` };
    case 'tag':
      return { image_tag: image.tag };
    case 'reference':
      return { image_list: image.reference };
  }
}
