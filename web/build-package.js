// Builds the folder `package/`, which is the package on npm: the modules, a bundle for CommonJS and one for a script
// tag, the types, the licences, and the documents that its README refers to. `--outdir=FOLDER` names another folder.

import { build } from 'esbuild';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const web = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { outdir: { type: 'string', default: join(web, 'package') } } });
const target = values.outdir;

/** The entries, each with the name of its bundles and types. */
const ENTRIES = { '.': 'herald-client', './react': 'react/index', './shared': 'shared/index', './outbox': 'outbox/index' };

/** The links of a document in the repository that have another target in the package. */
const LINKS = [
  ['README.md', '](../docs/', '](docs/'],
  ['docs/clients.md', '](../web/', '](../'],
  ['docs/react.md', '](../web/', '](../'],
];

/** A link to a document that the package leaves out, because it is not about this client. */
const LEFT_OUT = /\[([^\]]+)\]\((?:docs\/)?(?:polling|presence|python|flutter)\.md(?:#[^)]*)?\)/g;

/**
 * The options of a bundle for CommonJS. The other entries load the client, of which there must be one. CommonJS has no
 * `import.meta`: there, an application names the worker's address.
 */
const FOR_COMMON_JS = {
  format: 'cjs',
  platform: 'neutral',
  external: ['herald-client', 'react'],
  define: { 'import.meta.url': 'undefined' },
  plugins: [
    {
      name: 'one client',
      setup: ({ onResolve }) =>
        onResolve({ filter: /^\.\.\/herald-client\.js$/ }, () => ({ path: 'herald-client', external: true })),
    },
  ],
};

const text = (path) => readFileSync(join(target, path), 'utf8');
const write = (path, content) => writeFileSync(join(target, path), content);

rmSync(target, { recursive: true, force: true });
mkdirSync(join(target, 'docs'), { recursive: true });
copyFiles();
await bundle();
writeManifest();
adaptDocuments();

function copyFiles() {
  const { files } = manifest();
  for (const path of files) cpSync(join(web, path), join(target, path), { recursive: true });
  for (const path of ['LICENSE-MIT', 'LICENSE-APACHE', 'docs/clients.md', 'docs/react.md', 'web/README.md']) {
    cpSync(join(web, '..', path), join(target, path.replace('web/', '')));
  }
  for (const name of Object.values(ENTRIES)) cpSync(join(web, `${name}.d.ts`), join(target, `${name}.d.cts`));
}

async function bundle() {
  const options = { bundle: true, target: 'es2022', logLevel: 'warning' };
  for (const name of Object.values(ENTRIES)) {
    const [entryPoints, outfile] = [[join(web, `${name}.js`)], join(target, `${name}.cjs`)];
    await build({ ...options, ...FOR_COMMON_JS, entryPoints, outfile });
  }
  const [entryPoints, outfile] = [[join(web, 'herald-client.js')], join(target, 'herald-client.min.js')];
  await build({ ...options, entryPoints, outfile, format: 'iife', globalName: 'herald', minify: true });
}

/** Writes the package.json: that of the repository, without what only its developers need, and with the bundles. */
function writeManifest() {
  const { private: _, scripts, devDependencies, files, exports, ...rest } = manifest();
  for (const [entry, name] of Object.entries(ENTRIES)) {
    exports[entry] = {
      import: { types: `./${name}.d.ts`, default: `./${name}.js` },
      require: { types: `./${name}.d.cts`, default: `./${name}.cjs` },
    };
  }
  const bundles = { main: './herald-client.cjs', unpkg: './herald-client.min.js', jsdelivr: './herald-client.min.js' };
  write('package.json', `${JSON.stringify({ ...rest, ...bundles, exports }, undefined, 2)}\n`);
}

/** Cuts the README's sections for developers and the links to documents that are left out, and fails if a link of a document has no target in the package. */
function adaptDocuments() {
  write('README.md', text('README.md').replace(/^## The console\n.*/ms, ''));
  for (const [path, from, to] of LINKS) write(path, text(path).replaceAll(from, to).replace(LEFT_OUT, '$1'));
  for (const [path] of LINKS) {
    for (const [, link] of text(path).matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
      if (/^https:/.test(link) || existsSync(join(target, dirname(path), link))) continue;
      throw new Error(`${path} of the package has a link to ${link}, which is not in the package: copy it, or cut the link`);
    }
  }
}

function manifest() {
  return JSON.parse(readFileSync(join(web, 'package.json'), 'utf8'));
}
