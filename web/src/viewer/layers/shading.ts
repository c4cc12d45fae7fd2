// How surfaces are drawn: as the model says, without light, as plain clay, as
// wires. The model's own materials are kept and put back.

import { DoubleSide, type Material, Mesh, MeshBasicMaterial, MeshStandardMaterial, type Object3D } from "three";

export type Shading = "lit" | "flat" | "clay" | "wireframe";

const own = new WeakMap<Mesh, Material | Material[]>();

/** Tells whether anything below an object shines, as metal and gloss do. */
export function shines(object: Object3D): boolean {
	let found = false;
	object.traverse((o) => {
		if (!(o instanceof Mesh)) return;
		const material = ownMaterial(o);
		for (const m of Array.isArray(material) ? material : [material]) {
			if (m instanceof MeshStandardMaterial && (m.metalness > 0.1 || m.roughness < 0.4)) found = true;
		}
	});
	return found;
}

/** The material that a mesh came with. */
export function ownMaterial(mesh: Mesh): Material | Material[] {
	return own.get(mesh) ?? mesh.material;
}

export class Shader {
	#clay = new MeshStandardMaterial({ color: 0xc9c6bf, roughness: 0.95, metalness: 0, side: DoubleSide });
	#flat = new Map<Material, Material>();
	#wires = new MeshBasicMaterial({ color: 0x3b82f6, wireframe: true });

	/** Draws all meshes below an object so. */
	apply(object: Object3D, shading: Shading): void {
		object.traverse((o) => {
			if (!(o instanceof Mesh)) return;
			if (!own.has(o)) own.set(o, o.material);
			const material = ownMaterial(o);
			o.material = Array.isArray(material) ? material.map((m) => this.#of(m, shading)) : this.#of(material, shading);
		});
	}

	#of(material: Material, shading: Shading): Material {
		switch (shading) {
			case "lit":
				// Pictures that are light already (KHR_materials_unlit) stay as they were taken.
				if (material instanceof MeshBasicMaterial) material.toneMapped = false;
				return material;
			case "clay":
				return this.#clay;
			case "wireframe":
				return this.#wires;
		}
		const known = this.#flat.get(material);
		if (known) return known;
		const from = material as MeshStandardMaterial;
		const flat = new MeshBasicMaterial({
			color: from.color,
			map: from.map ?? null,
			vertexColors: from.vertexColors,
			side: from.side,
			alphaTest: from.alphaTest,
			alphaMap: from.alphaMap ?? null,
			transparent: from.transparent,
			opacity: from.opacity,
			toneMapped: false,
		});
		this.#flat.set(material, flat);
		return flat;
	}

	dispose(): void {
		this.#clay.dispose();
		this.#wires.dispose();
		for (const m of this.#flat.values()) m.dispose();
		this.#flat.clear();
	}
}

/** Frees what a model holds on the GPU. */
export function freeModel(object: Object3D): void {
	object.traverse((o) => {
		if (!(o instanceof Mesh)) return;
		o.geometry.dispose();
		const material = ownMaterial(o);
		for (const m of Array.isArray(material) ? material : [material]) {
			for (const value of Object.values(m)) {
				if (value && typeof value === "object" && "isTexture" in value) (value as { dispose(): void }).dispose();
			}
			m.dispose();
		}
	});
}
