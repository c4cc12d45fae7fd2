// One GLB, shown as it is. Its own coordinates become the scene's: y up becomes z
// up, and coordinates far from their origin are moved near it.

import { Box3, Group, Mesh, type Object3D, type Ray, Raycaster, Vector3 } from "three";
import { compact } from "../../common/format";
import { yUpToZUp } from "../frame";
import { makeLoaders } from "./gltf";
import type { Layer, LayerContext, Place } from "./layer";
import { freeModel, Shader, type Shading, shines } from "./shading";

export class MeshLayer implements Layer {
	readonly object = new Group();
	readonly points = false;
	triangles = 0;
	#bounds = new Box3();
	#shader = new Shader();

	private constructor(
		readonly model: Object3D,
		/** What was taken off the model's coordinates, z up. */
		readonly offset: Vector3,
	) {
		this.object.add(model);
		model.traverse((o) => {
			if (!(o instanceof Mesh)) return;
			const g = o.geometry;
			this.triangles += (g.index ? g.index.count : (g.getAttribute("position")?.count ?? 0)) / 3;
			if (!g.getAttribute("normal")) g.computeVertexNormals();
		});
		this.#bounds.setFromObject(this.object, true);
	}

	/** Loads a model; offset makes levels of detail of one model lie on each other. */
	static async open(
		url: string,
		context: LayerContext,
		onProgress: (part: number) => void,
		offset?: Vector3,
	): Promise<MeshLayer> {
		const loaders = makeLoaders(context.renderer);
		try {
			const gltf = await loaders.gltf.loadAsync(url, (e) => {
				if (e.total > 0) onProgress(e.loaded / e.total);
			});
			const model = new Group();
			model.add(gltf.scene);
			gltf.scene.applyMatrix4(yUpToZUp);
			model.updateMatrixWorld(true);
			const box = new Box3().setFromObject(model);
			if (box.isEmpty()) throw new Error("the model has nothing to show");
			if (shines(model)) context.onShine();
			const taken = offset ?? farOffset(box);
			model.position.copy(taken).negate();
			model.updateMatrixWorld(true);
			return new MeshLayer(model, taken);
		} finally {
			loaders.dispose();
		}
	}

	bounds(): Box3 {
		return this.#bounds;
	}

	shade(shading: Shading): void {
		this.#shader.apply(this.model, shading);
	}

	update(): boolean {
		return false;
	}

	refine(ray: Ray, near: Vector3, tolerance: number): Vector3 | undefined {
		const caster = new Raycaster(ray.origin, ray.direction);
		const depth = near.distanceTo(ray.origin);
		caster.near = Math.max(0, depth - tolerance * 4);
		caster.far = depth + tolerance * 4;
		return caster.intersectObject(this.model, true)[0]?.point;
	}

	summary(): string {
		return `${compact(this.triangles)} triangles`;
	}

	place(p: Vector3): Place {
		const v = p.clone().add(this.offset);
		return { label: "Model x, y, z", values: [v.x, v.z, -v.y].map((n) => n.toFixed(3)) };
	}

	dispose(): void {
		freeModel(this.model);
		this.#shader.dispose();
	}
}

/** Coordinates of more than so many sizes lose digits in 32 bits. */
function farOffset(box: Box3): Vector3 {
	const center = box.getCenter(new Vector3());
	const size = box.getSize(new Vector3()).length();
	return center.length() > 50 * size ? center.round() : new Vector3();
}
