export * from "./api.js";
export * from "./callback.js";
export type { components, operations, paths } from "./openapi.gen.js";
export * from "./payload.js";
export * from "./producer.js";
