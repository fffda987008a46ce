/** What every HTML document of ours begins with. */
import { hash } from 'node:crypto';
import { Html, markup } from './markup.ts';

/** A style sheet or script of ours: plain text that goes into the page, and whose hash is what its policy allows. */
export class Inline {
  readonly text: string;
  /** As a content security policy names it. */
  readonly source: string;

  constructor(text: string) {
    this.text = text;
    this.source = `'sha256-${hash('sha256', text, 'base64')}'`;
  }
}

const styleTag = ({ text }: Inline): Html => new Html(`<style>${text}</style>`);
export const scriptTag = ({ text }: Inline): Html => new Html(`<script>${text}</script>`);

/** @param policy of a document that is opened as a file: one that is served has it as a header */
export const head = (title: string, style: Inline, policy?: string): Html => markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">${policy && markup`\n<meta http-equiv="Content-Security-Policy" content="${policy}">`}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="data:,">
${styleTag(style)}
</head>`;
