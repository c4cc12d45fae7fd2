// A real Chromium, and what every test watches: errors, what the policy of the
// pages stopped, and requests to anywhere else.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

/** How long the browser may take for one thing, in milliseconds; its GPU is software here. */
export const patience = 30_000;

const flags = [
	"--no-sandbox",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
	"--no-first-run",
	"--use-gl=angle",
	"--use-angle=swiftshader",
	"--enable-unsafe-swiftshader",
];

/** @returns {Promise<import("playwright-core").Browser>} */
export function launch() {
	return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags });
}

const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What the driver of the software GPU says of itself, and what 3d-tiles-renderer says of 3D Tiles 1.1. */
const harmless = /GPU stall|GL Driver Message|TilesRenderer: tiles versions at 1\.1/;

/** A page, and all that must not happen on it. */
export class Watched {
	/** @type {string[]} */
	faults = [];

	/**
	 * @param {import("playwright-core").Page} page
	 * @param {import("playwright-core").BrowserContext} context
	 * @param {string} base
	 */
	constructor(page, context, base) {
		this.page = page;
		this.context = context;
		page.setDefaultTimeout(patience);
		page.on("console", (m) => {
			if ((m.type() === "error" || m.type() === "warning") && !harmless.test(m.text())) this.faults.push(`console: ${m.text()}`);
		});
		page.on("pageerror", (e) => this.faults.push(`error: ${e.message}`));
		page.on("request", (r) => {
			if (/^https?:/.test(r.url()) && !r.url().startsWith(base)) this.faults.push(`request to ${r.url()}`);
		});
	}

	/** Fails where something happened; refusals that a test provokes are expected. */
	clean(expected = /^$/) {
		assert.deepEqual(
			this.faults.filter((f) => !expected.test(f)),
			[],
		);
	}

	/** Serious and critical findings of axe-core, in dark and light. */
	async accessible() {
		const before = await this.page.evaluate(() => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
		// The policy stops scripts from text, except those that the debugger brings.
		await this.page.evaluate(axeSource);
		for (const colorScheme of /** @type {const} */ (before === "dark" ? ["light", "dark"] : ["dark", "light"])) {
			await this.page.emulateMedia({ colorScheme });
			const all = colorScheme === before; // of the other only the colours differ
			// Colours change over some time.
			await this.drawn();
			await this.page.waitForFunction(() => document.getAnimations().length === 0);
			const { violations } = await this.page.evaluate(
				(rules) =>
					// @ts-expect-error axe was brought above
					axe.run({ resultTypes: ["violations"], ...(rules ? { runOnly: rules } : {}) }),
				all ? undefined : ["color-contrast"],
			);
			const serious = violations
				.filter((/** @type {{impact: string}} */ v) => v.impact === "serious" || v.impact === "critical")
				.map(
					(/** @type {{id: string, nodes: {html: string, failureSummary: string}[]}} */ v) =>
						`${v.id}: ${v.nodes.map((n) => `${n.html} ${n.failureSummary}`).join(" ")}`,
				);
			assert.deepEqual(serious, [], `axe on ${this.page.url()}, ${colorScheme}`);
		}
	}

	/** Nothing is wider than the page. */
	async fits() {
		const { scroll, width } = await this.page.evaluate(() => ({
			scroll: document.documentElement.scrollWidth,
			width: innerWidth,
		}));
		assert.ok(scroll <= width, `${this.page.url()} is ${scroll} pixels wide on a screen of ${width}`);
	}

	/** Waits for the viewer to have all that the view needs. */
	async settled() {
		await this.page.waitForFunction(() => document.documentElement.dataset.viewer === "settled", undefined, {
			timeout: 2 * patience,
		});
		await this.drawn();
	}

	/** Waits until what was changed has been drawn. */
	async drawn() {
		await this.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
	}

	/**
	 * Counts the colours of the picture: the share that is not background, and the
	 * mean colour of that share; and says which pixels these are, of a grid of the
	 * canvas. The screenshot goes through the compositor, so that it is what a person
	 * would see.
	 */
	async picture(name = "") {
		const canvas = this.page.locator("canvas");
		const path = process.env.SCREENSHOTS && name ? `${process.env.SCREENSHOTS}/${name}.png` : undefined;
		if (path) await this.page.screenshot({ path });
		const box = await canvas.boundingBox();
		assert.ok(box);
		// Tools and the status line lie over the edges.
		const clip = { x: box.x + 70, y: box.y + 10, width: box.width - 80, height: box.height - 60 };
		const png = await this.page.screenshot({ clip });
		const seen = await this.page.evaluate(async (base64) => {
			const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
			const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
			const c = new OffscreenCanvas(image.width, image.height).getContext("2d");
			if (!c) throw new Error("no canvas");
			c.drawImage(image, 0, 0);
			const { data, width, height } = c.getImageData(0, 0, image.width, image.height);
			let n = 0;
			const sum = [0, 0, 0];
			const covered = [];
			for (let y = 0; y < height; y++) {
				for (let x = 0; x < width; x++) {
					const i = (y * width + x) * 4;
					const edge = y * width * 4; // the background is the same along a row
					const far =
						Math.abs(data[i] - data[edge]) + Math.abs(data[i + 1] - data[edge + 1]) + Math.abs(data[i + 2] - data[edge + 2]);
					if (x % 4 === 0 && y % 4 === 0) covered.push({ x, y, is: far >= 24 });
					if (far < 24) continue;
					n++;
					for (let k = 0; k < 3; k++) sum[k] += data[i + k];
				}
			}
			return { share: n / (width * height), mean: sum.map((s) => s / Math.max(n, 1)), covered };
		}, png.toString("base64"));
		for (const p of seen.covered) {
			p.x += clip.x - box.x;
			p.y += clip.y - box.y;
		}
		return seen;
	}
}

/**
 * Opens a page that is watched.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {{phone?: boolean, dark?: boolean, base?: string}} o
 */
export async function openPage(browser, url, o = {}) {
	const context = await browser.newContext({
		viewport: o.phone ? { width: 390, height: 760 } : { width: 900, height: 560 },
		colorScheme: o.dark ? "dark" : "light",
		isMobile: o.phone ?? false,
		hasTouch: o.phone ?? false,
		reducedMotion: "reduce",
	});
	const page = await context.newPage();
	const watched = new Watched(page, context, o.base ?? new URL(url).origin);
	await page.goto(url);
	return watched;
}

/**
 * Drops files onto the middle of a page as the system does.
 * @param {import("playwright-core").Page} page
 * @param {string[]} files
 */
export async function dropFiles(page, files) {
	const session = await page.context().newCDPSession(page);
	const data = { items: [], files, dragOperationsMask: 1 };
	for (const type of /** @type {const} */ (["dragEnter", "dragOver", "drop"])) {
		await session.send("Input.dispatchDragEvent", { type, x: 300, y: 200, data });
	}
	await session.detach();
}
