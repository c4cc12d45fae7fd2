// Runs the Khronos glTF validator over all .glb files of a folder and prints the
// messages it found as JSON: {files, messages: [{file, severity, code, message}]}.
// usage: node validate.cjs TOOLS_NODE_MODULES FOLDER
const fs = require("node:fs");
const path = require("node:path");

const [modules, folder] = process.argv.slice(2);
const validator = require(path.join(modules, "gltf-validator"));

async function main() {
  const files = fs.readdirSync(folder).filter((f) => f.endsWith(".glb"));
  const messages = [];
  for (const file of files) {
    const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(path.join(folder, file))), { maxIssues: 20 });
    for (const m of report.issues.messages) {
      messages.push({ file, severity: m.severity, code: m.code, message: m.message });
    }
  }
  process.stdout.write(JSON.stringify({ files: files.length, messages: messages.slice(0, 50) }));
}

main();
