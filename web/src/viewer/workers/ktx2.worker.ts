// Transcodes KTX2 textures with Basis Universal; see basis.ts of the build. It is a
// file of its own because what three brings would run from a blob, as it is.
import "virtual:basis-worker";
