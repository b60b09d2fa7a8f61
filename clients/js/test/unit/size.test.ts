import { existsSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const LIMIT = 5 * 1024; // bytes, for what an application without tab sharing can get at most

async function size(contents: string): Promise<number> {
  const { outputFiles } = await build({ stdin: { contents, resolveDir: "dist" }, bundle: true, minify: true, format: "esm", external: ["react"], write: false });
  return gzipSync(outputFiles[0]?.contents as Uint8Array, { level: 9 }).length;
}

test(`the client and its hooks are smaller than ${LIMIT} bytes, minified and gzipped`, async () => {
  expect(existsSync("dist/crier.js"), "run npm run build").toBe(true);
  const sizes = {
    crier: await size(`export * from "./crier.js"`),
    "crier and crier/react": await size(`export * from "./crier.js"; export * from "./crier-react.js"`),
    "crier/shared": await size(`export * from "./crier-shared.js"`),
  };
  for (const [name, bytes] of Object.entries(sizes)) console.log(`${name}: ${bytes} bytes, minified and gzipped`);
  expect(sizes["crier and crier/react"]).toBeLessThan(LIMIT);
});
