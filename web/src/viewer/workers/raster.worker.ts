// Reads GeoTIFF away from the page: of the overviews the one that fits.

import { fromUrl } from "geotiff";

export interface RasterRequest {
	id: number;
	url: string;
	/** Pixels on the longer side that are enough. */
	size: number;
	/** Colours, or numbers such as heights. */
	as: "color" | "number";
}

export interface Raster {
	width: number;
	height: number;
	/** West, south, east, north in coordinates of the source. */
	box: [number, number, number, number];
	/** RGBA, or undefined. */
	rgba?: Uint8ClampedArray<ArrayBuffer>;
	/** Numbers, with NaN for no data. */
	values?: Float32Array<ArrayBuffer>;
}

export type RasterAnswer = { id: number; ok: true; raster: Raster } | { id: number; ok: false; message: string };

async function load({ url, size, as }: RasterRequest): Promise<Raster> {
	const tiff = await fromUrl(url);
	const full = await tiff.getImage();
	const box = full.getBoundingBox() as [number, number, number, number];
	// Overviews come from the finest to the coarsest.
	let image = full;
	for (let i = (await tiff.getImageCount()) - 1; i >= 0; i--) {
		const candidate = await tiff.getImage(i);
		if (candidate.fileDirectory.getValue("NewSubfileType") === 4) continue; // a mask
		image = candidate;
		if (Math.max(image.getWidth(), image.getHeight()) >= size / 1.5) break;
	}
	const scale = Math.min(1, size / Math.max(image.getWidth(), image.getHeight()));
	const width = Math.max(1, Math.round(image.getWidth() * scale));
	const height = Math.max(1, Math.round(image.getHeight() * scale));
	const nodata = full.getGDALNoData();
	if (as === "number") {
		const [band] = (await image.readRasters({ width, height, samples: [0] })) as unknown as ArrayLike<number>[];
		const values = Float32Array.from(band ?? []);
		if (nodata !== null) for (let i = 0; i < values.length; i++) if (values[i] === nodata) values[i] = Number.NaN;
		return { width, height, box, values };
	}
	return { width, height, box, rgba: await colors(image, width, height, nodata) };
}

async function colors(
	image: Awaited<ReturnType<Awaited<ReturnType<typeof fromUrl>>["getImage"]>>,
	width: number,
	height: number,
	nodata: number | null,
): Promise<Uint8ClampedArray<ArrayBuffer>> {
	const rgba = new Uint8ClampedArray(width * height * 4);
	const bands = image.getSamplesPerPixel();
	// YCbCr of JPEG comes as RGB from readRGB; an alpha band has to be read by itself.
	const rgb = (await image.readRGB({ width, height, interleave: true, enableAlpha: false })) as unknown as ArrayLike<number>;
	const alpha = bands === 4 || bands === 2 ? await image.readRasters({ width, height, samples: [bands - 1] }) : undefined;
	const mask = alpha ? (alpha as unknown as ArrayLike<number>[])[0] : undefined;
	for (let i = 0; i < width * height; i++) {
		const [r = 0, g = 0, b = 0] = [rgb[i * 3], rgb[i * 3 + 1], rgb[i * 3 + 2]];
		rgba[i * 4] = r;
		rgba[i * 4 + 1] = g;
		rgba[i * 4 + 2] = b;
		rgba[i * 4 + 3] = mask ? (mask[i] ?? 255) : nodata !== null && r === nodata && g === nodata && b === nodata ? 0 : 255;
	}
	return rgba;
}

self.onmessage = async ({ data }: MessageEvent<RasterRequest>) => {
	let answer: RasterAnswer;
	const transfer: Transferable[] = [];
	try {
		const raster = await load(data);
		if (raster.rgba) transfer.push(raster.rgba.buffer);
		if (raster.values) transfer.push(raster.values.buffer);
		answer = { id: data.id, ok: true, raster };
	} catch (error) {
		answer = { id: data.id, ok: false, message: error instanceof Error ? error.message : String(error) };
	}
	self.postMessage(answer, { transfer });
};
