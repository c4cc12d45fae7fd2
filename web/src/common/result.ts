// What a job made, as the pages see it: from the API, from a share link or from a
// result folder.

export type OutputType = string;

export interface Output {
	type: OutputType;
	path?: string;
	url?: string;
	size: number;
	contentType?: string;
	sha256?: string;
	files?: number;
	points?: number;
	tiles?: number;
	triangles?: number;
	vertices?: number;
	width?: number;
	height?: number;
}

export interface Bounds {
	min: [number, number, number];
	max: [number, number, number];
}

export interface Dimension {
	name: string;
	min?: number;
	max?: number;
	mean?: number;
	stddev?: number;
}

/** What is known of a point cloud. */
export interface CloudAnalysis {
	points?: number;
	area?: number;
	density?: number;
	bounds?: Bounds;
	colorDepth?: number;
	hasColor?: boolean;
	classes?: { class: number; name: string; points: number }[];
	dimensions?: Dimension[];
	crs?: { name?: string; epsg?: number; horizontalUnit?: string; verticalUnit?: string; note?: string };
	wgs84?: { center?: [number, number] };
}

/** What is known of a mesh. */
export interface MeshAnalysis {
	triangles?: number;
	vertices?: number;
	size?: [number, number, number];
	materials?: number;
}

/** Where the models of a reconstruction lie: their coordinates, metres, and the offset make those of the cloud. */
export interface PhotoFrame {
	georeferenced: boolean;
	epsg?: number;
	offset: [number, number, number];
	/** Metres of one unit of the reference system. */
	unitMetres: number;
	heightUnitMetres: number;
}

/** By subject; of photos, cloud and mesh are parts. */
export interface Analysis extends CloudAnalysis {
	cloud?: CloudAnalysis;
	mesh?: MeshAnalysis & { mesh?: MeshAnalysis };
	frame?: PhotoFrame;
	mapping?: { photos: number; registered: number; reprojectionError: number };
	[subject: string]: unknown;
}

export function cloudOf(analysis: Analysis | undefined): CloudAnalysis | undefined {
	return analysis?.cloud ?? analysis;
}

export function meshOf(analysis: Analysis | undefined): MeshAnalysis | undefined {
	return analysis?.mesh?.mesh ?? analysis?.mesh;
}

export interface Result {
	jobId?: string;
	name?: string;
	kind?: string;
	status?: string;
	sourceFormat?: string;
	outputs: Output[];
	thumbnailUrl?: string;
	analysis?: Analysis;
	warnings?: string[];
	error?: string | { message: string; hint?: string };
}

/** Where a page got a result from, and where its files lie. */
export interface Opened {
	result: Result;
	/** Ends with a slash; paths of outputs are relative to it. */
	files: string;
	/** Set where the result is that of a job of this server, which may be shared. */
	jobId?: string;
	/** Set where there is a dashboard to go back to. */
	dashboard: boolean;
}

/** Address of a file of the result. Each part of the path is escaped. */
export function fileURL(opened: Opened, path: string): string {
	const escaped = path.split("/").map(encodeURIComponent).join("/");
	return new URL(opened.files + escaped, location.href).href;
}

/** Address of an output. Files below a result folder are preferred: 3D Tiles and EPT name their neighbours. */
export function outputURL(opened: Opened, output: Output): string {
	if (output.path) return fileURL(opened, output.path);
	return new URL(output.url ?? "", location.href).href;
}

const titles: Record<string, string> = {
	glb_draco: "Model (Draco)",
	glb_preview: "Preview model",
	laz: "Filtered LAZ",
	copc: "Point cloud (COPC)",
	ept: "Entwine Point Tiles",
	tiles_3d: "3D Tiles",
	thumbnail: "Thumbnail",
	dsm: "Surface model (DSM)",
	dtm: "Terrain model (DTM)",
	orthophoto: "Orthophoto",
	obj: "Textured OBJ",
	point_cloud: "Point cloud",
	report: "Report",
	cameras: "Camera poses",
};

/** Name of an output type for people. */
export function outputTitle(type: OutputType): string {
	const lod = /^lod_(\d)$/.exec(type);
	if (lod) return `Level of detail ${lod[1]}`;
	return titles[type] ?? type.replaceAll("_", " ");
}
