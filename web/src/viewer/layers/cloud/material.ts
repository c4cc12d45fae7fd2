// How points are drawn: round, in a colour by what was chosen, as large as the
// distance between them.

import {
	ClampToEdgeWrapping,
	Color,
	DataTexture,
	LinearFilter,
	NearestFilter,
	RGBAFormat,
	ShaderMaterial,
	UnsignedByteType,
} from "three";
import { classColor, type Gradient, gradients } from "./palette";

export type ColorBy = "rgb" | "height" | "intensity" | "class";

const modes: Record<ColorBy, number> = { rgb: 0, height: 1, intensity: 2, class: 3 };

const vertexShader = /* glsl */ `
attribute vec3 rgb;
attribute float intensity;
attribute float classification;
uniform int mode;
uniform vec2 heights;
uniform vec2 intensities;
uniform sampler2D ramp;
uniform sampler2D classes;
uniform float spacing;
uniform float pixels;
uniform float factor;
uniform vec2 sizes;
varying vec3 vColor;
#include <clipping_planes_pars_vertex>

void main() {
	vec4 world = modelMatrix * vec4(position, 1.0);
	vec4 mvPosition = viewMatrix * world;
	gl_Position = projectionMatrix * mvPosition;
	#include <clipping_planes_vertex>

	vec4 kind = texture2D(classes, vec2((classification + 0.5) / 256.0, 0.5));
	if (mode == 0) {
		vColor = rgb;
	} else if (mode == 1) {
		vColor = texture2D(ramp, vec2(clamp((world.z - heights.x) / (heights.y - heights.x), 0.002, 0.998), 0.5)).rgb;
	} else if (mode == 2) {
		vColor = vec3(clamp((intensity - intensities.x) / (intensities.y - intensities.x), 0.0, 1.0) * 0.94 + 0.06);
	} else {
		vColor = kind.rgb;
	}
	// Colours are those of a screen; the picture is made in linear light.
	vColor = mix(pow((vColor + 0.055) / 1.055, vec3(2.4)), vColor / 12.92, vec3(lessThanEqual(vColor, vec3(0.04045))));

	// Points are a third larger than they are apart, so that surfaces close.
	gl_PointSize = clamp(1.35 * factor * spacing * pixels / -mvPosition.z, sizes.x, sizes.y);
	if (kind.a < 0.5) gl_Position = vec4(0.0, 0.0, 2.0, 1.0); // a class that is switched off
}`;

const fragmentShader = /* glsl */ `
varying vec3 vColor;
#include <clipping_planes_pars_fragment>
void main() {
	#include <clipping_planes_fragment>
	vec2 d = gl_PointCoord - 0.5;
	if (dot(d, d) > 0.25) discard;
	gl_FragColor = vec4(vColor, 1.0);
	#include <colorspace_fragment>
}`;

/** The material of all points of a cloud. */
export class PointMaterial extends ShaderMaterial {
	#classes = new Uint8Array(256 * 4);
	#ramp = rampTexture("turbo");
	#palette: DataTexture;

	constructor() {
		super({
			vertexShader,
			fragmentShader,
			clipping: true,
			uniforms: {
				mode: { value: 0 },
				heights: { value: [0, 1] },
				intensities: { value: [0, 65535] },
				ramp: { value: null },
				classes: { value: null },
				spacing: { value: 1 },
				pixels: { value: 1 },
				factor: { value: 1 },
				sizes: { value: [1.5, 24] },
			},
		});
		for (let i = 0; i < 256; i++) {
			const c = new Color(classColor(i));
			// Hexadecimal colours were taken to linear light; the shader wants those of a screen.
			c.convertLinearToSRGB();
			this.#classes.set([Math.round(c.r * 255), Math.round(c.g * 255), Math.round(c.b * 255), 255], i * 4);
		}
		const texture = new DataTexture(this.#classes, 256, 1, RGBAFormat, UnsignedByteType);
		texture.minFilter = texture.magFilter = NearestFilter;
		texture.needsUpdate = true;
		this.#palette = texture;
		this.set("classes", texture);
		this.set("ramp", this.#ramp);
	}

	set(name: string, value: unknown): void {
		const uniform = this.uniforms[name];
		if (uniform) uniform.value = value;
		this.uniformsNeedUpdate = true;
	}

	colorBy(by: ColorBy): void {
		this.set("mode", modes[by]);
	}

	gradient(name: Gradient): void {
		this.#ramp.dispose();
		this.#ramp = rampTexture(name);
		this.set("ramp", this.#ramp);
	}

	showClass(n: number, shown: boolean): void {
		this.#classes[n * 4 + 3] = shown ? 255 : 0;
		this.#palette.needsUpdate = true;
	}

	override dispose(): void {
		this.#ramp.dispose();
		this.#palette.dispose();
		super.dispose();
	}
}

function rampTexture(name: Gradient): DataTexture {
	const stops = gradients[name];
	const width = 256;
	const data = new Uint8Array(width * 4);
	for (let i = 0; i < width; i++) {
		const at = (i / (width - 1)) * (stops.length - 1);
		const k = Math.min(Math.floor(at), stops.length - 2);
		const [a, b] = [stops[k] ?? 0, stops[k + 1] ?? 0];
		for (let shift = 16, j = 0; shift >= 0; shift -= 8, j++) {
			const [from, to] = [(a >> shift) & 255, (b >> shift) & 255];
			data[i * 4 + j] = Math.round(from + (to - from) * (at - k));
		}
		data[i * 4 + 3] = 255;
	}
	const texture = new DataTexture(data, width, 1, RGBAFormat, UnsignedByteType);
	texture.minFilter = texture.magFilter = LinearFilter;
	texture.wrapS = ClampToEdgeWrapping;
	texture.needsUpdate = true;
	return texture;
}
