// What the page and the workers that decode points say to each other.

/** What the header of a cloud says. */
export interface CloudInfo {
	/** Cube of the octree, in coordinates of the source. */
	cube: [number, number, number, number, number, number];
	/** Distance between points of the root node. */
	spacing: number;
	points: number;
	hasColor: boolean;
	/** Where the hierarchy begins: {key: points, or where its page lies}. */
	hierarchy: HierarchyPage;
}

export interface NodeAddress {
	points: number;
	/** Bytes of a COPC node. EPT nodes are files of their own. */
	offset?: number;
	length?: number;
}

export interface HierarchyPage {
	nodes: Record<string, NodeAddress>;
	/** Keys below which another page has to be read, and where it lies. */
	pages: Record<string, { offset: number; length: number } | null>;
}

/** The points of a node, relative to the corner of the node with the smallest coordinates. */
export interface NodeData {
	positions: Float32Array;
	/** Red, green, blue. Absent where the source has none. */
	colors?: Uint8Array;
	intensities: Uint16Array;
	classes: Uint8Array;
	/** Least and greatest coordinates of the source. */
	min: [number, number, number];
	max: [number, number, number];
	/** Largest colour value, which tells 8 from 16 bits. */
	colorMax: number;
}

export type Request =
	| { id: number; what: "open"; format: "copc" | "ept"; url: string }
	| { id: number; what: "page"; key: string; page: { offset: number; length: number } | null }
	| { id: number; what: "node"; key: string; address: NodeAddress; corner: [number, number, number]; colorShift?: number };

export type Answer =
	| { id: number; ok: true; value: CloudInfo | HierarchyPage | NodeData }
	| { id: number; ok: false; message: string };
