// Writes a GLB to FILE whose one square has a red texture in KTX2: KIND is etc1s or uastc.
const { writeFileSync } = require("node:fs");
const { join } = require("node:path");
// Its encoder is inside; the package does not export it.
const { KtxUtility } = require(join(process.env.NODE_PATH, "3d-tiles-tools/build/src/ktx/ktx/KtxUtility.js"));

const size = 64;
const pixels = new Uint8Array(size * size * 4);
for (let i = 0; i < pixels.length; i += 4) pixels.set([220, 40, 40, 255], i);

function pad(buffer, fill) {
	return Buffer.concat([buffer, Buffer.alloc((4 - (buffer.length % 4)) % 4, fill)]);
}

async function main() {
	const image = await KtxUtility.encodeImageData(size, size, pixels, { uastc: process.env.KIND === "uastc", transferFunction: "SRGB" });
	const positions = Buffer.from(new Float32Array([0, 0, 0, 4, 0, 0, 4, 0, -4, 0, 0, -4]).buffer);
	const places = Buffer.from(new Float32Array([0, 1, 1, 1, 1, 0, 0, 0]).buffer);
	const corners = Buffer.from(new Uint16Array([0, 1, 2, 0, 2, 3]).buffer);
	const parts = [positions, places, corners, Buffer.from(image)].map((b) => pad(b, 0));
	let at = 0;
	const bufferViews = parts.map((b, i) => {
		const view = { buffer: 0, byteOffset: at, byteLength: [positions, places, corners, image][i].length };
		at += b.length;
		return view;
	});
	const document = {
		asset: { version: "2.0" },
		extensionsUsed: ["KHR_texture_basisu"],
		extensionsRequired: ["KHR_texture_basisu"],
		scenes: [{ nodes: [0] }],
		nodes: [{ mesh: 0 }],
		meshes: [{ primitives: [{ attributes: { POSITION: 0, TEXCOORD_0: 1 }, indices: 2, material: 0 }] }],
		materials: [{ pbrMetallicRoughness: { baseColorTexture: { index: 0 }, metallicFactor: 0 }, doubleSided: true }],
		textures: [{ extensions: { KHR_texture_basisu: { source: 0 } } }],
		images: [{ bufferView: 3, mimeType: "image/ktx2" }],
		accessors: [
			{ bufferView: 0, componentType: 5126, count: 4, type: "VEC3", min: [0, 0, -4], max: [4, 0, 0] },
			{ bufferView: 1, componentType: 5126, count: 4, type: "VEC2" },
			{ bufferView: 2, componentType: 5123, count: 6, type: "SCALAR" },
		],
		bufferViews,
		buffers: [{ byteLength: at }],
	};
	const json = pad(Buffer.from(JSON.stringify(document)), " ");
	const head = Buffer.alloc(20);
	head.write("glTF", 0, "latin1");
	head.writeUInt32LE(2, 4);
	head.writeUInt32LE(20 + json.length + 8 + at, 8);
	head.writeUInt32LE(json.length, 12);
	head.write("JSON", 16, "latin1");
	const middle = Buffer.alloc(8);
	middle.writeUInt32LE(at, 0);
	middle.write("BIN\0", 4, "latin1");
	writeFileSync(process.env.FILE, Buffer.concat([head, json, middle, ...parts]));
}

main();
