// The frame that the scene is drawn in: metres, z up, x east, near an origin that
// is subtracted in double precision, so that coordinates of UTM or of the whole
// globe neither jitter nor lose digits on the GPU.

import { Matrix4, Vector3 } from "three";
import { type Analysis, cloudOf, type PhotoFrame } from "../common/result";

const metresPer: Record<string, number> = {
	metre: 1,
	meter: 1,
	m: 1,
	foot: 0.3048,
	ft: 0.3048,
	"US survey foot": 1200 / 3937,
	foot_us: 1200 / 3937,
	"us-ft": 1200 / 3937,
	kilometre: 1000,
	centimetre: 0.01,
	millimetre: 0.001,
};

export interface Frame {
	/** Origin in the coordinates of the source. */
	origin: Vector3;
	/** Middle of the bounds, at the bottom, in the coordinates of the source; undefined where they are not known. */
	center?: Vector3;
	/** Metres of one unit of the source, horizontally and vertically. */
	horizontal: number;
	vertical: number;
	/** Name of the reference system, and of its unit where it is known. */
	crs?: string;
	unit?: string;
	/** What is taken off the coordinates of models, metres and z up; undefined where they have nothing in common with the source. */
	model?: Vector3;
}

/** The frame of a result: its origin is near the middle of the bounds, at the bottom. */
export function frameOf(analysis: Analysis | undefined): Frame {
	const cloud = cloudOf(analysis);
	const photos = analysis?.frame;
	const crs = cloud?.crs;
	const f: Frame = {
		origin: new Vector3().fromArray(photos?.offset ?? [0, 0, 0]),
		horizontal: metresPer[crs?.horizontalUnit ?? ""] ?? photos?.unitMetres ?? 1,
		vertical: metresPer[crs?.verticalUnit ?? crs?.horizontalUnit ?? ""] ?? photos?.heightUnitMetres ?? 1,
		crs: crs?.epsg ? `EPSG:${crs.epsg}` : (crs?.name ?? (photos?.epsg ? `EPSG:${photos.epsg}` : undefined)),
		unit: crs?.horizontalUnit,
	};
	const bounds = cloud?.bounds;
	if (bounds) {
		const [x, y, z] = [(bounds.min[0] + bounds.max[0]) / 2, (bounds.min[1] + bounds.max[1]) / 2, bounds.min[2]];
		f.center = new Vector3(x, y, z);
		f.origin.set(Math.round(x), Math.round(y), Math.floor(z));
	}
	if (photos) f.model = toScene(f, photos.offset).negate();
	return f;
}

/** Place in the scene of coordinates of the source. */
export function toScene(frame: Frame, p: readonly [number, number, number]): Vector3 {
	return new Vector3(
		(p[0] - frame.origin.x) * frame.horizontal,
		(p[1] - frame.origin.y) * frame.horizontal,
		(p[2] - frame.origin.z) * frame.vertical,
	);
}

/** Place in the scene of the origin of a reconstruction's models. */
export function originOf(frame: Frame, photos: PhotoFrame): Vector3 {
	return toScene(frame, photos.offset);
}

/** Coordinates of the source at a place of the scene. */
export function toSource(frame: Frame, p: Vector3): [number, number, number] {
	return [
		p.x / frame.horizontal + frame.origin.x,
		p.y / frame.horizontal + frame.origin.y,
		p.z / frame.vertical + frame.origin.z,
	];
}

/** Takes the y-up coordinates of glTF to z up. */
export const yUpToZUp = new Matrix4().makeRotationX(Math.PI / 2);

const a = 6378137;
const e2 = 6.69437999014e-3;

/** Longitude, latitude (radians) and height over WGS 84 of a geocentric place (Bowring). */
export function geodetic(p: Vector3): { lon: number; lat: number; height: number } {
	const b = a * Math.sqrt(1 - e2);
	const r = Math.hypot(p.x, p.y);
	const u = Math.atan2(p.z * a, r * b);
	const ep2 = (a * a - b * b) / (b * b);
	const lat = Math.atan2(p.z + ep2 * b * Math.sin(u) ** 3, r - e2 * a * Math.cos(u) ** 3);
	const n = a / Math.sqrt(1 - e2 * Math.sin(lat) ** 2);
	const height = Math.abs(lat) < 1.5 ? r / Math.cos(lat) - n : Math.abs(p.z) / Math.abs(Math.sin(lat)) - n * (1 - e2);
	return { lon: Math.atan2(p.y, p.x), lat, height };
}

/** Geocentric place of a longitude, latitude (radians) and height over WGS 84. */
export function geocentric(lon: number, lat: number, height: number): Vector3 {
	const n = a / Math.sqrt(1 - e2 * Math.sin(lat) ** 2);
	return new Vector3(
		(n + height) * Math.cos(lat) * Math.cos(lon),
		(n + height) * Math.cos(lat) * Math.sin(lon),
		(n * (1 - e2) + height) * Math.sin(lat),
	);
}

/** The matrix from east, north, up at a place of the ellipsoid to geocentric coordinates. */
export function eastNorthUp(lon: number, lat: number, height: number): Matrix4 {
	const east = new Vector3(-Math.sin(lon), Math.cos(lon), 0);
	const north = new Vector3(-Math.sin(lat) * Math.cos(lon), -Math.sin(lat) * Math.sin(lon), Math.cos(lat));
	const up = new Vector3(Math.cos(lat) * Math.cos(lon), Math.cos(lat) * Math.sin(lon), Math.sin(lat));
	return new Matrix4().makeBasis(east, north, up).setPosition(geocentric(lon, lat, height));
}

/** Tells whether a place is on the globe, not in a model's own coordinates. */
export function isGeocentric(p: Vector3): boolean {
	const r = p.length();
	return r > 6.2e6 && r < 6.6e6;
}
