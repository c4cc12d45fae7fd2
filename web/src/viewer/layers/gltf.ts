// Loads glTF with all that the worker's outputs and people's own models use:
// Draco, meshopt, KTX2 textures.

import type { LoadingManager, WebGLRenderer } from "three";
import basisWasm from "three/examples/jsm/libs/basis/basis_transcoder.wasm?url";
import { MeshoptDecoder } from "three/examples/jsm/libs/meshopt_decoder.module.js";
import { DRACOLoader } from "three/examples/jsm/loaders/DRACOLoader.js";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { KTX2Loader } from "three/examples/jsm/loaders/KTX2Loader.js";

/** A KTX2Loader whose transcoder runs in a worker of its own file; see workers/ktx2.worker.ts. */
class OwnWorkerKTX2Loader extends KTX2Loader {
	override init(): Promise<void> {
		const loader = this as unknown as {
			transcoderPending: Promise<void> | null;
			transcoderBinary: ArrayBuffer;
			workerConfig: object;
			workerPool: { setWorkerCreator(make: () => Worker): void };
		};
		loader.transcoderPending ??= fetch(basisWasm)
			.then((response) => response.arrayBuffer())
			.then((binary) => {
				loader.workerPool.setWorkerCreator(() => {
					const worker = new Worker(new URL("../workers/ktx2.worker.ts", import.meta.url), { type: "module" });
					const transcoderBinary = binary.slice(0);
					worker.postMessage({ type: "init", config: loader.workerConfig, transcoderBinary }, [transcoderBinary]);
					return worker;
				});
			});
		return loader.transcoderPending;
	}
}

export interface Loaders {
	gltf: GLTFLoader;
	draco: DRACOLoader;
	ktx2: KTX2Loader;
	dispose(): void;
}

/** Makes a loader; dispose ends its workers. */
export function makeLoaders(renderer: WebGLRenderer, manager?: LoadingManager): Loaders {
	const draco = new DRACOLoader(manager);
	draco.preload(); // beside the model
	const ktx2 = new OwnWorkerKTX2Loader(manager).detectSupport(renderer);
	const gltf = new GLTFLoader(manager).setDRACOLoader(draco).setKTX2Loader(ktx2).setMeshoptDecoder(MeshoptDecoder);
	return {
		gltf,
		draco,
		ktx2,
		dispose() {
			draco.dispose();
			ktx2.dispose();
		},
	};
}
