// The shapes that the API answers with: those of its OpenAPI document, which
// clients/typescript generates and tests.

import type { components } from "../../../clients/typescript/src/openapi.gen";

type Schemas = components["schemas"];
/** What the server puts into an answer; the address of its schema is of no use here. */
type Body<T> = Omit<T, "$schema">;

export type Job = Body<Schemas["Job"]>;
export type Stage = Schemas["Stage"];
export type JobError = Schemas["Error"];
export type JobOutput = Schemas["Output"];
export type JobProgress = Schemas["Progress"];
export type JobPage = Body<Schemas["ListOutBody"]>;
export type Session = Body<Schemas["SessionInfo"]>;
export type QueueState = Body<Schemas["QueueState"]>;
export type WorkerInfo = Schemas["WorkerInfo"];
export type GPU = Schemas["GPU"];
export type System = Body<Schemas["System"]>;
export type Submitted = Body<Schemas["Submitted"]>;
export type ShareLink = Body<Schemas["ShareOutBody"]>;
export type Status = Job["status"];
export type Priority = Job["priority"];

/** Tells whether a job in this status is at its end. */
export function final(status: Status): boolean {
	return status === "completed" || status === "failed" || status === "cancelled";
}
