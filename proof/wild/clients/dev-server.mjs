// node dev-server.mjs CONFIG: what webpack serve does, without webpack-cli.
import { createRequire } from 'node:module';
import { copyFileSync } from 'node:fs';
import webpack from 'webpack';
import WebpackDevServer from 'webpack-dev-server';

const file = process.argv[2];
copyFileSync(file, `${file}.cjs`); // a package of type "module" would take .js for one
const { devServer, ...config } = createRequire(import.meta.url)(`${file}.cjs`);
config.context = import.meta.dirname;
await new WebpackDevServer(devServer, webpack({ ...config, devServer })).start();
