// Finds what is seen at a pixel: the scene around it is drawn into a few pixels,
// and their depth read back. That costs the same for a mesh, a cloud and tiles.

import {
	Color,
	DepthTexture,
	FloatType,
	Mesh,
	NearestFilter,
	OrthographicCamera,
	type PerspectiveCamera,
	PlaneGeometry,
	RGBAFormat,
	Scene,
	ShaderMaterial,
	UnsignedByteType,
	Vector3,
	type WebGLRenderer,
	WebGLRenderTarget,
} from "three";

/** Pixels on a side of the window that is looked at: odd, so that one is in the middle. */
const window = 11;

// Depth as four bytes: float targets cannot be read on every device.
const fragmentShader = /* glsl */ `
uniform highp sampler2D depth;
varying vec2 vUv;
void main() {
	highp float d = texture2D(depth, vUv).r;
	if (d >= 1.0) { gl_FragColor = vec4(1.0); return; }
	highp vec4 v = fract(d * vec4(1.0, 255.0, 65025.0, 16581375.0));
	v -= v.yzww * vec4(1.0 / 255.0, 1.0 / 255.0, 1.0 / 255.0, 0.0);
	gl_FragColor = v;
}`;

const vertexShader = /* glsl */ `
varying vec2 vUv;
void main() { vUv = uv; gl_Position = vec4(position.xy, 0.0, 1.0); }`;

export class Picker {
	#target: WebGLRenderTarget;
	#packed: WebGLRenderTarget;
	#scene = new Scene();
	#camera = new OrthographicCamera(-1, 1, 1, -1, 0, 1);
	#material: ShaderMaterial;
	#bytes = new Uint8Array(window * window * 4);

	constructor() {
		const depthTexture = new DepthTexture(window, window, FloatType);
		this.#target = new WebGLRenderTarget(window, window, { depthTexture, minFilter: NearestFilter, magFilter: NearestFilter });
		this.#packed = new WebGLRenderTarget(window, window, { format: RGBAFormat, type: UnsignedByteType, depthBuffer: false });
		this.#material = new ShaderMaterial({
			vertexShader,
			fragmentShader,
			depthTest: false,
			uniforms: { depth: { value: depthTexture } },
		});
		const quad = new Mesh(new PlaneGeometry(2, 2), this.#material);
		quad.frustumCulled = false;
		this.#scene.add(quad);
	}

	/** Place in the scene seen at x, y (CSS pixels from the top left of a canvas of that size), or near it. */
	pick(
		renderer: WebGLRenderer,
		scene: Scene,
		camera: PerspectiveCamera,
		x: number,
		y: number,
		width: number,
		height: number,
	): Vector3 | undefined {
		const half = (window - 1) / 2;
		const left = Math.round(x) - half;
		const top = Math.round(y) - half;
		const clear = renderer.getClearColor(new Color());
		const alpha = renderer.getClearAlpha();
		camera.setViewOffset(width, height, left, top, window, window);
		camera.updateProjectionMatrix();
		renderer.setRenderTarget(this.#target);
		renderer.setClearColor(0, 0);
		renderer.clear();
		renderer.render(scene, camera);
		camera.clearViewOffset();
		camera.updateProjectionMatrix();
		const planes = renderer.clippingPlanes;
		renderer.clippingPlanes = [];
		renderer.setRenderTarget(this.#packed);
		renderer.render(this.#scene, this.#camera);
		renderer.clippingPlanes = planes;
		renderer.readRenderTargetPixels(this.#packed, 0, 0, window, window, this.#bytes);
		renderer.setRenderTarget(null);
		renderer.setClearColor(clear, alpha);
		return this.#nearest(camera, left, top, width, height);
	}

	/** Unprojects the covered pixel that is nearest to the middle, of equals the nearer one. */
	#nearest(camera: PerspectiveCamera, left: number, top: number, width: number, height: number): Vector3 | undefined {
		const half = (window - 1) / 2;
		let best: { distance: number; depth: number; x: number; y: number } | undefined;
		for (let row = 0; row < window; row++) {
			for (let column = 0; column < window; column++) {
				const i = (row * window + column) * 4;
				const b = this.#bytes;
				if (b[i] === 255 && b[i + 1] === 255 && b[i + 2] === 255) continue;
				const depth = ((b[i] ?? 0) + (b[i + 1] ?? 0) / 255 + (b[i + 2] ?? 0) / 65025 + (b[i + 3] ?? 0) / 16581375) / 255;
				const y = window - 1 - row; // rows are read from the bottom up
				const distance = (column - half) ** 2 + (y - half) ** 2;
				if (!best || distance < best.distance || (distance === best.distance && depth < best.depth)) {
					best = { distance, depth, x: left + column, y: top + y };
				}
			}
		}
		if (!best) return undefined;
		const ndc = new Vector3(((best.x + 0.5) / width) * 2 - 1, 1 - ((best.y + 0.5) / height) * 2, best.depth * 2 - 1);
		return ndc.unproject(camera);
	}

	dispose(): void {
		this.#target.dispose();
		this.#packed.dispose();
		this.#material.dispose();
	}
}
