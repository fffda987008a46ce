import sanitizeHtml from 'sanitize-html';
import { Html } from '../../../../lib/html/markup.ts';

const IMAGE = /^data:image\/(?:png|jpeg|gif|webp|svg\+xml)[;,]/i;
const LINK = /^(?:https?:|mailto:)/i;

const TAGS =
  'h1 h2 h3 h4 h5 h6 p div span br hr blockquote pre code kbd samp a img figure figcaption ul ol li dl dt dd ' +
  'details summary b i u s em strong small mark del ins sub sup q cite var abbr tt ' +
  'table caption thead tbody tfoot tr th td';

const OPTIONS: sanitizeHtml.IOptions = {
  allowedTags: TAGS.split(' '),
  // No ids, which could stand in for cells, and no styles: the page's policy would not apply them.
  allowedAttributes: {
    a: ['href', 'title', 'target', 'rel'],
    img: ['src', 'alt', 'title', 'width', 'height'],
    th: ['colspan', 'rowspan', 'scope'],
    td: ['colspan', 'rowspan'],
    ol: ['start'],
    details: ['open'],
  },
  allowedClasses: { code: ['math'], table: ['dataframe'] },
  allowedSchemes: ['http', 'https', 'mailto'],
  allowedSchemesByTag: { img: ['data'] },
  allowProtocolRelative: false,
  // What is in these is no text for readers.
  nonTextTags: [
    'script',
    'style',
    'textarea',
    'option',
    'noscript',
    'template',
    'svg',
    'math',
    'iframe',
    'object',
    'title',
    'xmp',
  ],
  // A parse of each style would be for nothing.
  parseStyleAttributes: false,
  nestingLimit: 100,
  transformTags: {
    a: (tagName, { href = '', title = '' }) => ({
      tagName,
      // Elsewhere, and with no way back: this document stays where it is.
      attribs: LINK.test(href.trim())
        ? { href, target: '_blank', rel: 'noopener noreferrer', ...(title && { title }) }
        : {},
    }),
    img: (tagName, attribs) =>
      IMAGE.test(attribs['src'] ?? '')
        ? { tagName, attribs: { ...attribs, alt: attribs['alt'] ?? '' } }
        : { tagName: 'span', attribs: {}, text: `[image: ${attribs['alt'] ?? 'not in the notebook'}]` },
  },
};

/** HTML from strangers, reduced to what is safe to read and look at: nothing in it runs, loads or sends anything. */
export const sanitized = (untrusted: string): Html => new Html(sanitizeHtml(untrusted, OPTIONS));
