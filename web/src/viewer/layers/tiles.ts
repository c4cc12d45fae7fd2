// 3D Tiles, streamed by 3d-tiles-renderer: meshes and points. A tileset on the
// globe is turned so that up is up where it lies.

import { TilesRenderer } from "3d-tiles-renderer";
import { ImplicitTilingPlugin } from "3d-tiles-renderer/core/plugins";
import { GLTFExtensionsPlugin } from "3d-tiles-renderer/three/plugins";
import { Box3, Matrix4, Mesh, type Object3D, Points, PointsMaterial, type Ray, Raycaster, Sphere, Vector3 } from "three";
import { MeshoptDecoder } from "three/examples/jsm/libs/meshopt_decoder.module.js";
import { compact } from "../../common/format";
import { eastNorthUp, type Frame, geodetic, isGeocentric, toScene } from "../frame";
import { type Loaders, makeLoaders } from "./gltf";
import type { Layer, LayerContext, Place, View } from "./layer";
import { Shader, type Shading, shines } from "./shading";

export class TilesLayer implements Layer {
	points = false;
	#tiles: TilesRenderer;
	#loaders: Loaders;
	#shader = new Shader();
	#shading: Shading = "lit";
	#pointSize = 2;
	#box = new Box3();
	/** From the scene to geocentric coordinates; undefined for a tileset of its own coordinates. */
	#toGlobe: Matrix4 | undefined;
	#loading = true;

	private constructor(
		url: string,
		readonly holds: "cloud" | "mesh",
		readonly frame: Frame,
		readonly context: LayerContext,
	) {
		this.#loaders = makeLoaders(context.renderer);
		const tiles = new TilesRenderer(url);
		tiles.registerPlugin(new ImplicitTilingPlugin());
		tiles.registerPlugin(
			new GLTFExtensionsPlugin({
				metadata: true,
				rtc: true,
				dracoLoader: this.#loaders.draco,
				ktxLoader: this.#loaders.ktx2,
				meshoptDecoder: MeshoptDecoder,
				autoDispose: false,
			}),
		);
		tiles.errorTarget = 12;
		tiles.lruCache.maxBytesSize = 0.5 * 2 ** 30;
		this.#tiles = tiles;
	}

	static open(url: string, holds: "cloud" | "mesh", frame: Frame, context: LayerContext): Promise<TilesLayer> {
		const layer = new TilesLayer(url, holds, frame, context);
		return layer.#open();
	}

	#open(): Promise<TilesLayer> {
		const tiles = this.#tiles;
		return new Promise((resolve, reject) => {
			tiles.addEventListener("load-root-tileset", () => {
				this.#orient();
				resolve(this);
			});
			tiles.addEventListener("load-error", ({ error }: { error: Error }) => {
				reject(error);
				this.context.onError(error);
			});
			tiles.addEventListener("load-model", ({ scene }: { scene: Object3D }) => this.#arrived(scene));
			tiles.addEventListener("needs-update", this.context.invalidate);
			tiles.addEventListener("tiles-load-start", () => {
				this.#loading = true;
				this.context.invalidate();
			});
			tiles.addEventListener("tiles-load-end", () => {
				this.#loading = false;
				this.context.invalidate();
			});
			tiles.update();
		});
	}

	get object(): Object3D {
		return this.#tiles.group;
	}

	#arrived(scene: Object3D): void {
		scene.traverse((o) => {
			if (o instanceof Points && o.material instanceof PointsMaterial) {
				this.points = true;
				o.material.sizeAttenuation = false;
				o.material.size = this.#pointSize;
			} else if (o instanceof Mesh && !o.geometry.getAttribute("normal")) {
				o.geometry.computeVertexNormals();
			}
		});
		if (shines(scene)) this.context.onShine();
		this.#shader.apply(scene, this.#shading);
		this.context.invalidate();
	}

	/** Puts the tileset into the frame of the scene. */
	#orient(): void {
		const sphere = new Sphere();
		this.#tiles.getBoundingSphere(sphere);
		const onGlobe = isGeocentric(sphere.center);
		const toTiles = this.#place(sphere, onGlobe).multiply(new Matrix4().makeTranslation(this.#shift()));
		if (onGlobe) this.#toGlobe = toTiles;
		const group = this.#tiles.group;
		group.matrix.copy(toTiles).invert();
		group.matrix.decompose(group.position, group.quaternion, group.scale);
		group.updateMatrixWorld(true);
		this.#bounds();
	}

	/** From metres, z up, of what was tiled to the coordinates of the tileset. */
	#place(sphere: Sphere, onGlobe: boolean): Matrix4 {
		if (!onGlobe) return new Matrix4();
		// Our tilesets have one transform, at the root; those of others may have none, or many.
		const root = (this.#tiles.rootTileset as { root?: { transform?: number[] } } | null)?.root?.transform;
		if (root) {
			const m = new Matrix4().fromArray(root);
			if (isGeocentric(new Vector3().setFromMatrixPosition(m)) && Math.abs(m.determinant() - 1) < 1e-3) return m;
		}
		const { lon, lat, height } = geodetic(sphere.center);
		return eastNorthUp(lon, lat, height - sphere.radius);
	}

	/** From the scene to metres of what was tiled: a model as it is, a cloud about the middle of its bounds. */
	#shift(): Vector3 {
		const { model, center } = this.frame;
		if (this.holds === "mesh") return model?.clone() ?? new Vector3();
		return center ? toScene(this.frame, center.toArray()).negate() : new Vector3();
	}

	#bounds(): void {
		const box = new Box3();
		const oriented = new Matrix4();
		if (this.#tiles.getOrientedBoundingBox(box, oriented)) {
			this.#box.copy(box).applyMatrix4(new Matrix4().multiplyMatrices(this.#tiles.group.matrixWorld, oriented));
		} else {
			const sphere = new Sphere();
			this.#tiles.getBoundingSphere(sphere);
			sphere.applyMatrix4(this.#tiles.group.matrixWorld).getBoundingBox(this.#box);
		}
	}

	bounds(): Box3 {
		return this.#box;
	}

	/** Detail as a factor: 1 as usual, 2 twice as fine. */
	set detail(factor: number) {
		this.#tiles.errorTarget = 12 / factor;
		this.context.invalidate();
	}

	set pointSize(pixels: number) {
		this.#pointSize = pixels;
		this.#tiles.forEachLoadedModel((scene: Object3D) => {
			scene.traverse((o) => {
				if (o instanceof Points && o.material instanceof PointsMaterial) o.material.size = pixels;
			});
		});
		this.context.invalidate();
	}

	shade(shading: Shading): void {
		this.#shading = shading;
		this.#tiles.forEachLoadedModel((scene: Object3D) => this.#shader.apply(scene, shading));
		this.context.invalidate();
	}

	update({ camera, width, height }: View): boolean {
		this.#tiles.setCamera(camera);
		this.#tiles.setResolution(camera, width, height);
		this.#tiles.update();
		return this.#loading || this.#tiles.loadProgress < 1;
	}

	refine(ray: Ray, near: Vector3, tolerance: number): Vector3 | undefined {
		if (this.points) return undefined;
		const caster = new Raycaster(ray.origin, ray.direction);
		const depth = near.distanceTo(ray.origin);
		caster.near = Math.max(0, depth - tolerance * 4);
		caster.far = depth + tolerance * 4;
		return caster.intersectObject(this.#tiles.group, true)[0]?.point;
	}

	summary(): string {
		let amount = 0;
		this.#tiles.group.traverse((o) => {
			if (o instanceof Points) amount += o.geometry.getAttribute("position").count;
			else if (o instanceof Mesh) amount += (o.geometry.index?.count ?? o.geometry.getAttribute("position").count) / 3;
		});
		return `${compact(amount)} ${this.points ? "points" : "triangles"} in ${this.#tiles.visibleTiles.size} tiles`;
	}

	place(p: Vector3): Place {
		if (!this.#toGlobe) {
			const v = p.clone().applyMatrix4(this.#tiles.group.matrixWorld.clone().invert());
			return { label: "Model x, y, z", values: [v.x, v.z, -v.y].map((n) => n.toFixed(3)) };
		}
		const { lon, lat, height } = geodetic(p.clone().applyMatrix4(this.#toGlobe));
		const degrees = (r: number) => ((r * 180) / Math.PI).toFixed(7);
		return { label: "WGS 84 lat, lon, height", values: [degrees(lat), degrees(lon), `${height.toFixed(2)} m`] };
	}

	dispose(): void {
		this.#tiles.dispose();
		this.#loaders.dispose();
		this.#shader.dispose();
	}
}
