// Eye-dome lighting (Boucheny 2009): darkens a pixel by how much nearer its
// neighbours are, in the logarithm of depth, which shows edges and depth in clouds
// that have no normals.

import {
	Color,
	DepthTexture,
	FloatType,
	HalfFloatType,
	Mesh,
	NearestFilter,
	OrthographicCamera,
	type PerspectiveCamera,
	PlaneGeometry,
	Scene,
	ShaderMaterial,
	Vector2,
	type WebGLRenderer,
	WebGLRenderTarget,
} from "three";

const vertexShader = /* glsl */ `
varying vec2 vUv;
void main() {
	vUv = uv;
	gl_Position = vec4(position.xy, 0.0, 1.0);
}`;

const fragmentShader = /* glsl */ `
uniform sampler2D color;
uniform sampler2D depth;
uniform vec2 pixel;
uniform float near;
uniform float far;
uniform float strength;
varying vec2 vUv;

float logDepth(vec2 at) {
	float d = texture2D(depth, at).r;
	if (d >= 1.0) return 0.0;
	return log2(near * far / (far - d * (far - near)));
}

void main() {
	vec4 c = texture2D(color, vUv);
	float own = logDepth(vUv);
	if (own == 0.0) discard;
	float sum = 0.0;
	for (int i = 0; i < 8; i++) {
		float angle = float(i) * 0.7853981633974483;
		float other = logDepth(vUv + pixel * vec2(cos(angle), sin(angle)));
		if (other != 0.0) sum += max(0.0, own - other); // nothing stands before the background
	}
	float shade = max(exp(-sum / 8.0 * 300.0 * strength), 0.28); // leaves stay leaves, not ink
	gl_FragColor = vec4(c.rgb * shade, 1.0);
	#include <colorspace_fragment>
}`;

export class EyeDome {
	strength = 0.4;
	#target: WebGLRenderTarget;
	#scene = new Scene();
	#camera = new OrthographicCamera(-1, 1, 1, -1, 0, 1);
	#material: ShaderMaterial;
	#size = new Vector2();
	#pixel = new Vector2();

	constructor() {
		const depthTexture = new DepthTexture(1, 1, FloatType);
		this.#target = new WebGLRenderTarget(1, 1, {
			depthTexture,
			type: HalfFloatType, // linear colours in bytes would show bands
			minFilter: NearestFilter,
			magFilter: NearestFilter,
		});
		this.#material = new ShaderMaterial({
			vertexShader,
			fragmentShader,
			depthTest: false,
			depthWrite: false,
			uniforms: {
				color: { value: this.#target.texture },
				depth: { value: depthTexture },
				pixel: { value: this.#pixel },
				near: { value: 1 },
				far: { value: 1 },
				strength: { value: 1 },
			},
		});
		const quad = new Mesh(new PlaneGeometry(2, 2), this.#material);
		quad.frustumCulled = false;
		this.#scene.add(quad);
	}

	/** Draws the scene with the shading onto what the renderer draws to. */
	render(renderer: WebGLRenderer, scene: Scene, camera: PerspectiveCamera): void {
		renderer.getDrawingBufferSize(this.#size);
		this.#target.setSize(this.#size.x, this.#size.y);
		const into = renderer.getRenderTarget();
		const clear = renderer.getClearColor(new Color());
		const alpha = renderer.getClearAlpha();
		renderer.setRenderTarget(this.#target);
		renderer.setClearColor(0x000000, 0);
		renderer.clear();
		renderer.render(scene, camera);
		const u = this.#material.uniforms;
		const radius = 1.4 * renderer.getPixelRatio();
		this.#pixel.set(radius / this.#size.x, radius / this.#size.y);
		if (u.near) u.near.value = camera.near;
		if (u.far) u.far.value = camera.far;
		if (u.strength) u.strength.value = this.strength;
		renderer.setRenderTarget(into);
		renderer.setClearColor(clear, alpha);
		const planes = renderer.clippingPlanes;
		renderer.clippingPlanes = [];
		renderer.render(this.#scene, this.#camera);
		renderer.clippingPlanes = planes;
	}

	dispose(): void {
		this.#target.dispose();
		this.#target.depthTexture?.dispose();
		this.#material.dispose();
	}
}
