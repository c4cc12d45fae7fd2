// The frame that the scene is drawn in: metres, z up, x east, near an origin that
// is subtracted in double precision, so that coordinates of UTM or of the whole
// globe neither jitter nor lose digits on the GPU.

import { Matrix4, Vector3 } from "three";
import type { Analysis } from "../common/result";

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
	/** Metres of one unit of the source, horizontally and vertically. */
	horizontal: number;
	vertical: number;
	/** Name of the reference system, and of its unit where it is known. */
	crs?: string;
	unit?: string;
}

/** The frame of a result: its origin is the middle of the bounds, at the bottom. */
export function frameOf(analysis: Analysis | undefined): Frame {
	const bounds = analysis?.bounds;
	const crs = analysis?.crs;
	const origin = new Vector3();
	if (bounds) {
		origin.set(
			Math.round((bounds.min[0] + bounds.max[0]) / 2),
			Math.round((bounds.min[1] + bounds.max[1]) / 2),
			Math.floor(bounds.min[2]),
		);
	}
	return {
		origin,
		horizontal: metresPer[crs?.horizontalUnit ?? ""] ?? 1,
		vertical: metresPer[crs?.verticalUnit ?? crs?.horizontalUnit ?? ""] ?? 1,
		crs: crs?.epsg ? `EPSG:${crs.epsg}` : crs?.name,
		unit: crs?.horizontalUnit,
	};
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
