// Transcodes KTX2 textures with Basis Universal. It runs the worker that three
// brings, from a file of its own instead of from a blob: a blob would have the
// policy of the page, which forbids what the transcoder's glue does (web.go).

import source from "three/examples/jsm/libs/basis/basis_transcoder.js?raw";
import { KTX2Loader } from "three/examples/jsm/loaders/KTX2Loader.js";

interface Parts {
	BasisWorker: () => void;
	EngineFormat: object;
	EngineType: object;
	TranscoderFormat: object;
	BasisFormat: object;
}

const parts = KTX2Loader as unknown as Parts;
const body = parts.BasisWorker.toString();
const run = new Function(
	"_EngineFormat",
	"_EngineType",
	"_TranscoderFormat",
	"_BasisFormat",
	`${source}\n${body.slice(body.indexOf("{") + 1, body.lastIndexOf("}"))}`,
);
run(parts.EngineFormat, parts.EngineType, parts.TranscoderFormat, parts.BasisFormat);
