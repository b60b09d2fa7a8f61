// Builds dist from src. With --check, builds elsewhere and fails unless dist is
// the same: it is committed, since the Go package embeds it.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
process.chdir(here);

// One copy of the client, also where all three are used: the others import it.
const oneClient = {
  name: "one client",
  setup: (build) => build.onResolve({ filter: /\/crier\.js$/ }, () => ({ path: "./crier.js", external: true })),
};
const check = process.argv.includes("--check");
const out = check ? mkdtempSync(join(tmpdir(), "crier-js-")) : "dist";

try {
  rmSync(out, { recursive: true, force: true });
  for (const name of ["crier", "crier-shared", "crier-react"]) {
    const { outputFiles } = await build({
      entryPoints: [`src/${name}.ts`],
      outfile: `dist/${name}.js`,
      bundle: true,
      minify: true,
      // Members that never leave the client; what applications use keeps its name.
      // (What tabs say to each other keeps its names, too: they may run different builds.)
      ...(name === "crier" && { mangleProps: /^(after|alive|atOnce|blocked|deliver|emit|held|init|iterate|listen|lost|names|opaque|problem|queue|text|wake)$/ }),
      sourcemap: true,
      format: "esm",
      target: "es2022",
      external: ["react"],
      plugins: name === "crier" ? [] : [oneClient],
      logLevel: "warning",
      banner: name === "crier-react" ? { js: '"use client";' } : {},
      write: false,
    });
    mkdirSync(out, { recursive: true });
    for (const { path, contents } of outputFiles) writeFileSync(join(out, basename(path)), contents);
  }
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", ".", "--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir", join(out, "types")], { stdio: "inherit" });
  if (check) compare();
} finally {
  if (check) rmSync(out, { recursive: true, force: true });
}

function compare() {
  const list = (dir) => readdirSync(dir, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name).slice(dir.length + 1)).sort();
  const names = new Set([...list(out), ...list("dist")]);
  const stale = [...names].filter((name) => read(join(out, name)) !== read(join("dist", name)));
  if (stale.length) {
    console.error(`dist is not what src builds (${stale.join(", ")}): run npm run build in clients/js`);
    process.exitCode = 1;
  }
}

function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
