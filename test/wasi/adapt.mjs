// Makes components of preview 1 commands.
//
//   node adapt.mjs JCO LIST
//
// JCO is a folder in which `npm install @bytecodealliance/jco` was run: it
// brings the adapter and the program that wraps. Each line of LIST is the path of
// a core module, a tab, and the path of the component to write.

import {readFileSync, writeFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {pathToFileURL} from 'node:url';

const [jco, list] = process.argv.slice(2);
if (!list) {
  console.error('usage: node adapt.mjs JCO LIST');
  process.exit(2);
}
const packages = resolve(jco, 'node_modules/@bytecodealliance');
const {tools, $init} = await import(pathToFileURL(join(packages, 'jco-transpile/vendor/wasm-tools.js')).href);
await $init;
const adapter = readFileSync(join(packages, 'jco/lib/wasi_snapshot_preview1.command.wasm'));

for (const line of readFileSync(list, 'utf8').split('\n').filter(Boolean)) {
  const [from, to] = line.split('\t');
  writeFileSync(to, tools.componentNew(readFileSync(from), [['wasi_snapshot_preview1', adapter]]));
}
