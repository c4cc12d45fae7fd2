// Writes src/openapi.gen.ts from the document that a server serves:
// npm run build && node dist/test/generate.js http://127.0.0.1:8360
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import openapiTS, { astToString } from "openapi-typescript";

/** TypeScript of the document of a server. */
export async function generate(base: string): Promise<string> {
	const response = await fetch(new URL("/openapi.json", base));
	if (!response.ok) throw new Error(`${base}/openapi.json: ${response.status}`);
	const document = (await response.json()) as object;
	return `// Generated from /openapi.json (npm run generate). Do not edit.\n\n${astToString(await openapiTS(document as never))}`;
}

if (process.argv[1] === import.meta.filename) {
	const base = process.argv[2] ?? "http://127.0.0.1:8360";
	await writeFile(join(import.meta.dirname, "../../src/openapi.gen.ts"), await generate(base));
}
