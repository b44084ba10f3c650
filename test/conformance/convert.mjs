// Converts component-model test scripts (.wast) to WebAssembly binaries and one
// JSON script per file, which the runner beside it plays.
//
//   node convert.mjs JCO SUITE OUT
//
// JCO is a folder in which `npm install @bytecodealliance/jco` was run: its
// wasm-tools assembles the text. SUITE is searched for *.wast; OUT gets
// <path>.json and <path>/<line>.wasm for each.
//
// A form whose text the assembler refuses keeps its message as "refused"; what
// that means for the form is the runner's business.

import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join, relative, resolve, sep} from 'node:path';
import {pathToFileURL} from 'node:url';

const [jco, suite, out] = process.argv.slice(2);
if (!out) {
  console.error('usage: node convert.mjs JCO SUITE OUT');
  process.exit(2);
}

// Suites are written in the strict syntax of core item references or in the
// older one; the assembler takes both when told so.
process.env.WAST_STRICT_COMPONENT_INDICES = '0';

const vendor = resolve(jco, 'node_modules/@bytecodealliance/jco-transpile/vendor/wasm-tools.js');
const {tools, $init} = await import(pathToFileURL(vendor).href);
await $init;

for (const path of scripts(suite)) {
  const name = relative(suite, path).split(sep).join('/');
  const text = readFileSync(path, 'utf8');
  const forms = parse(text).map(node => form(node, text, name.replace(/\.wast$/, '')));
  const file = join(out, name.replace(/\.wast$/, '.json'));
  mkdirSync(dirname(file), {recursive: true});
  writeFileSync(file, JSON.stringify({source: name, forms}, null, 1) + '\n');
}

function scripts(dir) {
  return readdirSync(dir, {withFileTypes: true, recursive: true})
    .filter(entry => entry.isFile() && entry.name.endsWith('.wast'))
    .map(entry => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

// parse cuts a script into trees of nodes: {atom}, {string, start, end} or
// {list, start, end, line}.
function parse(text) {
  const token = /\s+|;;[^\n]*|\(;|"(?:[^"\\]|\\[^])*"|[()]|[^\s()";]+/y;
  const top = [], open = [];
  const add = node => (open.length ? open.at(-1).list : top).push(node);
  let line = 1, counted = 0;
  const lineAt = at => {
    for (; counted < at; counted++) if (text[counted] === '\n') line++;
    return line;
  };
  for (let at = 0; at < text.length; at = token.lastIndex) {
    token.lastIndex = at;
    const found = token.exec(text);
    if (!found) throw new Error(`line ${lineAt(at)}: unexpected ${JSON.stringify(text[at])}`);
    const word = found[0];
    if (word === '(;') {
      token.lastIndex = comment(text, at);
    } else if (word === '(') {
      const node = {list: [], start: at, line: lineAt(at)};
      add(node);
      open.push(node);
    } else if (word === ')') {
      open.pop().end = at + 1;
    } else if (word[0] === '"') {
      add({string: word, start: at, end: at + word.length});
    } else if (!/^(\s|;;)/.test(word)) {
      add({atom: word, start: at, end: at + word.length});
    }
  }
  if (open.length) throw new Error(`line ${open[0].line}: not closed`);
  return top;
}

function comment(text, at) {
  for (let depth = 0; at < text.length; at++) {
    if (text.startsWith('(;', at)) depth++, at++;
    else if (text.startsWith(';)', at) && (at++, --depth === 0)) return at + 1;
  }
  throw new Error('comment is not closed');
}

function form(node, text, base) {
  const [head, ...rest] = node.list, kind = head.atom, line = node.line;
  switch (kind) {
    case 'component':
      return component(node, text, base);
    case 'invoke':
      return {kind, line, action: action(node)};
    case 'assert_return':
      return {kind, line, action: action(rest[0]), results: rest.slice(1).map(constant)};
    case 'assert_trap':
    case 'assert_invalid':
    case 'assert_malformed':
    case 'assert_unlinkable': {
      const message = String.fromCharCode(...bytes(rest.at(-1).string));
      if (rest[0].list[0].atom === 'invoke') return {kind, line, message, action: action(rest[0])};
      return {...component(rest[0], text, base), kind, line, message};
    }
    default:
      return {kind, line};
  }
}

// component converts (component ...), (component definition ...), (component
// binary ...), (component quote ...) and (component instance $i $c).
function component(node, text, base) {
  const words = node.list.slice(1), line = node.line;
  let kind = 'component', id;
  const take = atom => words[0]?.atom === atom && words.shift();
  if (take('instance')) {
    return {kind: 'instance', line, name: words[0]?.atom, definition: words[1]?.atom};
  }
  if (take('definition')) kind = 'definition';
  if (words[0]?.atom?.startsWith('$')) id = words.shift().atom;
  const result = {kind, line, name: id};
  const file = `${base}/${line}.wasm`;
  let wasm;
  if (take('binary')) {
    wasm = Uint8Array.from(words.flatMap(word => bytes(word.string)));
  } else {
    const quoted = take('quote');
    if (quoted) result.quoted = true;
    const body = quoted
      ? Buffer.from(words.flatMap(word => bytes(word.string))).toString('utf8')
      : words.length ? text.slice(words[0].start, node.end - 1) : '';
    try {
      wasm = tools.parse(`(component ${id ?? ''} ${body}\n)`);
    } catch (error) {
      const message = error.payload ?? error.message;
      return {...result, refused: String(message).split('\n')[0]};
    }
  }
  mkdirSync(dirname(join(out, file)), {recursive: true});
  writeFileSync(join(out, file), wasm);
  return {...result, wasm: file};
}

function action(node) {
  const words = node.list.slice(1);
  const instance = words[0].atom ? words.shift().atom : undefined;
  return {instance, func: utf8(words[0].string), args: words.slice(1).map(constant)};
}

// constant converts (u32.const 1), (list.const (...) ...), (variant.const "a"
// (...)) and so on to {type, text, elems, names}.
function constant(node) {
  const [head, ...rest] = node.list;
  const type = head.atom.replace(/\.const$/, '');
  const value = {type};
  for (const word of rest) {
    if (word.list?.[0].atom === 'field') { // (field "a" u32.const 1)
      (value.names ??= []).push(utf8(word.list[1].string));
      (value.elems ??= []).push(constant({list: word.list.slice(2)}));
    } else if (word.list) {
      (value.elems ??= []).push(constant(word));
    } else if (type === 'flags') {
      (value.names ??= []).push(utf8(word.string));
    } else {
      value.text = word.string ? utf8(word.string) : word.atom;
    }
  }
  return value;
}

function utf8(literal) {
  return Buffer.from(bytes(literal)).toString('utf8');
}

// bytes decodes a string literal.
function bytes(literal) {
  const escapes = {t: 9, n: 10, r: 13, '"': 34, "'": 39, '\\': 92}, list = [];
  for (const part of literal.slice(1, -1).match(/\\u\{[^}]*\}|\\[0-9a-fA-F]{2}|\\.|[^\\]+/gs) ?? []) {
    if (part[0] !== '\\') list.push(...Buffer.from(part, 'utf8'));
    else if (part.startsWith('\\u')) list.push(...Buffer.from(String.fromCodePoint(parseInt(part.slice(3, -1), 16)), 'utf8'));
    else if (part.length === 3) list.push(parseInt(part.slice(1), 16));
    else list.push(escapes[part[1]]);
  }
  return list;
}
