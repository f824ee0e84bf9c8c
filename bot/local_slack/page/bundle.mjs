/** Bundles src/main.tsx into page.js and page.css in static/ (or the folder given), and the licences of what is in it. */
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? resolve(here, "static"));

/** slack-blocks-to-jsx gets our JSX runtime, which turns the stand-ins of src/mrkdwn.ts back into characters. */
const legible = {
  name: "legible",
  setup({ onResolve }) {
    onResolve({ filter: /^react\/jsx-runtime$/ }, ({ importer }) =>
      /node_modules[\\/]slack-blocks-to-jsx[\\/]/.test(importer) ? { path: resolve(here, "src/jsx-runtime.ts") } : undefined,
    );
  },
};

const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: { page: "src/main.tsx" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "none",
  metafile: true,
  plugins: [legible],
});

const folders = new Set(
  Object.keys(metafile.inputs).flatMap((path) => path.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0] ?? []),
);
const licences = [...folders].sort().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(resolve(here, folder, "package.json"), "utf8"));
  const file = readdirSync(resolve(here, folder)).find((each) => /^licen[cs]e/i.test(each));
  const text = file ? readFileSync(resolve(here, folder, file), "utf8").trim() : `Licence: ${license}`;
  return `${name} ${version} (${license})\n\n${text}\n`;
});
for (const file of ["index.html", "icon.svg"]) copyFileSync(resolve(here, "src", file), resolve(out, file));
writeFileSync(resolve(out, "LICENSES.txt"), licences.join(`\n${"-".repeat(78)}\n\n`));
