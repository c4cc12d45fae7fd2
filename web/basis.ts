// The worker that transcodes KTX2 textures, made of what three brings: the glue of
// Basis Universal and the body of its worker. The glue (Emscripten's embind) makes
// functions from text, which the policy of the pages forbids; here it gets closures
// that do the same, so that no page and no worker needs eval.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Plugin } from "vite";

const id = "virtual:basis-worker";

/** What calls a C++ function: see createJsInvoker in the glue. */
const invoker = `var invokerFn = function (...values) {
	if (values.length !== argCount - 2) throwBindingError("function " + humanName + " called with " + values.length + " arguments, expected " + (argCount - 2));
	var destructors = needsDestructorStack ? [] : null;
	var first = isClassMethodFunc ? 1 : 2;
	var wired = isClassMethodFunc ? [argTypes[1]["toWireType"](destructors, this)] : [];
	for (var i = 0; i < values.length; ++i) wired.push(argTypes[i + 2]["toWireType"](destructors, values[i]));
	var rv = cppInvokerFunc(cppTargetFunc, ...wired);
	if (needsDestructorStack) runDestructors(destructors);
	else for (var i = first; i < argTypes.length; ++i) if (argTypes[i].destructorFunction !== null) argTypes[i].destructorFunction(wired[i - first]);
	if (returns) return argTypes[0]["fromWireType"](rv);
};`;

/** What calls a function of JavaScript from C++: see __emval_get_method_caller. */
const caller = `var invokerFunction = function (obj, func, destructorsRef, args) {
	var list = kind === 0 ? [obj] : [];
	var offset = 0;
	for (var type of types) {
		list.push(type.readValueFromPointer(args + offset));
		offset += type["argPackAdvance"];
	}
	var rv = kind === 1 ? new func(...list) : func.call(...list);
	if (!retType.isVoid) return emval_returnValue(retType, destructorsRef, rv);
};`;

const changes: [RegExp, string][] = [
	[/let\[args,invokerFnBody\]=createJsInvoker\(.*?\);.*?var invokerFn=newFunc\(Function,args\)\(\.\.\.closureArgs\);/s, invoker],
	[/var invokerFunction=newFunc\(Function,params\)\(\.\.\.args\);/, caller],
];

/** The glue without functions from text. A new version of three may need other changes: then the build ends here. */
export function withoutEval(glue: string): string {
	for (const [from, to] of changes) {
		if (!from.test(glue)) throw new Error(`three's transcoder of KTX2 has changed: it lacks ${from}`);
		glue = glue.replace(from, () => to);
	}
	if (/newFunc\(Function|new Function|\beval\(/.test(glue))
		throw new Error("three's transcoder of KTX2 makes more functions from text");
	return glue;
}

async function source(): Promise<string> {
	const glue = readFileSync(createRequire(import.meta.url).resolve("three/examples/jsm/libs/basis/basis_transcoder.js"), "utf8");
	const { KTX2Loader } = (await import("three/examples/jsm/loaders/KTX2Loader.js")) as unknown as {
		KTX2Loader: { BasisWorker(): void } & Record<string, object>;
	};
	const tables = ["EngineFormat", "EngineType", "TranscoderFormat", "BasisFormat"];
	const body = KTX2Loader.BasisWorker.toString();
	return [
		...tables.map((name) => `const _${name} = ${JSON.stringify(KTX2Loader[name])};`),
		withoutEval(glue),
		body.slice(body.indexOf("{") + 1, body.lastIndexOf("}")),
	].join("\n");
}

/** Gives the worker as the module virtual:basis-worker. */
export function basisWorker(): Plugin {
	return {
		name: "basis-worker",
		resolveId: (name) => (name === id ? `\0${id}` : undefined),
		load: (name) => (name === `\0${id}` ? source() : undefined),
	};
}
