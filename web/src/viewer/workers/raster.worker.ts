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

type Tiff = Awaited<ReturnType<typeof fromUrl>>;
type Picture = Awaited<ReturnType<Tiff["getImage"]>>;

/** Bit of NewSubfileType: the picture is a mask of another. */
const mask = 4;

async function load({ url, size, as }: RasterRequest): Promise<Raster> {
	const tiff = await fromUrl(url);
	const full = await tiff.getImage();
	const box = full.getBoundingBox() as [number, number, number, number];
	// Overviews come from the finest to the coarsest, each with its mask behind it.
	let image = full;
	const masks: Picture[] = [];
	for (let i = 1; i < (await tiff.getImageCount()); i++) {
		const other = await tiff.getImage(i);
		if (Number(other.fileDirectory.getValue("NewSubfileType") ?? 0) & mask) masks.push(other);
		else if (long(other) >= size / 1.5 && long(other) < long(image)) image = other;
	}
	const scale = Math.min(1, size / long(image));
	const width = Math.max(1, Math.round(image.getWidth() * scale));
	const height = Math.max(1, Math.round(image.getHeight() * scale));
	const nodata = full.getGDALNoData();
	if (as === "number") {
		const [band] = (await image.readRasters({ width, height, samples: [0] })) as unknown as ArrayLike<number>[];
		const values = Float32Array.from(band ?? []);
		if (nodata !== null) for (let i = 0; i < values.length; i++) if (values[i] === nodata) values[i] = Number.NaN;
		return { width, height, box, values };
	}
	const own = masks.find((m) => m.getWidth() === image.getWidth() && m.getHeight() === image.getHeight());
	return { width, height, box, rgba: await colors(image, own, width, height, nodata) };
}

function long(image: Picture): number {
	return Math.max(image.getWidth(), image.getHeight());
}

async function colors(
	image: Picture,
	own: Picture | undefined,
	width: number,
	height: number,
	nodata: number | null,
): Promise<Uint8ClampedArray<ArrayBuffer>> {
	const rgba = new Uint8ClampedArray(width * height * 4);
	const bands = image.getSamplesPerPixel();
	// YCbCr of JPEG comes as RGB from readRGB; an alpha band has to be read by itself.
	const rgb = (await image.readRGB({ width, height, interleave: true, enableAlpha: false })) as unknown as ArrayLike<number>;
	const alpha =
		bands === 4 || bands === 2
			? await image.readRasters({ width, height, samples: [bands - 1] })
			: await own?.readRasters({ width, height, samples: [0] });
	const shown = alpha ? (alpha as unknown as ArrayLike<number>[])[0] : undefined;
	for (let i = 0; i < width * height; i++) {
		const [r = 0, g = 0, b = 0] = [rgb[i * 3], rgb[i * 3 + 1], rgb[i * 3 + 2]];
		rgba[i * 4] = r;
		rgba[i * 4 + 1] = g;
		rgba[i * 4 + 2] = b;
		if (shown) rgba[i * 4 + 3] = own ? ((shown[i] ?? 0) > 0 ? 255 : 0) : (shown[i] ?? 255);
		else rgba[i * 4 + 3] = nodata !== null && r === nodata && g === nodata && b === nodata ? 0 : 255;
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
