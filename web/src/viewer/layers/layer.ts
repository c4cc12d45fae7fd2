import type { Box3, Object3D, PerspectiveCamera, Ray, Vector3, WebGLRenderer } from "three";

/** What the camera shows, for layers that load by need. */
export interface View {
	camera: PerspectiveCamera;
	/** Size of the canvas in device pixels. */
	width: number;
	height: number;
}

/** Coordinates that people know a place by. */
export interface Place {
	label: string;
	values: string[];
}

/** One way to show a result: a mesh, a cloud, tiles, a height model, cameras. */
export interface Layer {
	readonly object: Object3D;
	/** Bounds in the scene; empty until known. */
	bounds(): Box3;
	/** Bounds of nearly all there is, without what lies far off; where absent, all. */
	core?(): Box3;
	/** Loads and frees what the view needs. Returns whether work is going on. */
	update(view: View): boolean;
	/** Point of the layer nearest to the ray around a place that was seen there; undefined is none better. */
	refine?(ray: Ray, near: Vector3, tolerance: number): Vector3 | undefined;
	/** What is drawn, for the status line. */
	summary(): string;
	/** Coordinates of a place where the frame's do not hold. */
	place?(p: Vector3): Place;
	/** Points want eye-dome lighting. */
	readonly points: boolean;
	dispose(): void;
}

/** What layers are made with. */
export interface LayerContext {
	renderer: WebGLRenderer;
	/** Asks for a new picture. */
	invalidate(): void;
	/** Tells that something shines, and wants light from all around. */
	onShine(): void;
	/** Tells of something that failed after the layer was opened. */
	onError(error: unknown): void;
}
