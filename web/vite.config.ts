import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";
import { basisWorker } from "./basis.ts";

const outDir = "dist/site";

// The program embeds files as they are and sends the gzip twin to whoever takes it.
function gzipTwins(): Plugin {
	const worthIt = /\.(js|css|html|wasm|svg|json)$/;
	const walk = (dir: string): string[] =>
		readdirSync(dir).flatMap((name) => {
			const path = join(dir, name);
			return statSync(path).isDirectory() ? walk(path) : [path];
		});
	return {
		name: "gzip-twins",
		apply: "build",
		closeBundle() {
			for (const path of walk(outDir)) {
				if (!worthIt.test(path)) continue;
				const data = readFileSync(path);
				const small = gzipSync(data, { level: 9 });
				if (small.length < data.length * 0.9) writeFileSync(`${path}.gz`, small);
			}
		},
	};
}

export default defineConfig({
	appType: "mpa",
	build: {
		outDir,
		emptyOutDir: true,
		target: "es2022",
		assetsInlineLimit: 0, // the policy of the pages allows no scripts or fonts in data URLs
		chunkSizeWarningLimit: 1200,
		modulePreload: { polyfill: false },
		rolldownOptions: { input: ["index.html", "view.html"] },
	},
	worker: { format: "es", plugins: () => [basisWorker()] },
	resolve: {
		// One laz-perf for copc and for us: the one for workers.
		alias: [{ find: /^laz-perf$/, replacement: "laz-perf/lib/worker/index.js" }],
	},
	plugins: [gzipTwins()],
	server: {
		proxy: Object.fromEntries(
			["/api", "/share", "/files", "/result.json", "/openapi.json"].map((path) => [path, "http://127.0.0.1:8360"]),
		),
	},
});
