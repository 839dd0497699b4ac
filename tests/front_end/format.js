// Formats the JavaScript, or, with --check, names the files that are not formatted: node tests/front_end/format.js
import { createFromBuffer } from "@dprint/formatter";
import typescript from "@dprint/typescript";
import { globSync, readFileSync, writeFileSync } from "node:fs";

const FILES = ["calamity_lab/**/*.js", "tests/browser/*.js", "tests/front_end/*.js", "*.config.js"];

const formatter = createFromBuffer(readFileSync(typescript.getPath()));
formatter.setConfig({ lineWidth: 120, indentWidth: 2 }, {
  "quoteStyle": "preferDouble",
  "quoteProps": "preserve",
  "preferHanging": true,
  "operatorPosition": "nextLine",
  "nextControlFlowPosition": "sameLine",
  "singleBodyPosition": "maintain",
  "useBraces": "maintain",
  "arrowFunction.useParentheses": "force",
  "trailingCommas": "onlyMultiLine",
  "module.sortImportDeclarations": "maintain",
});

const isCheck = process.argv.includes("--check");
for (const filePath of FILES.flatMap((files) => globSync(files))) {
  const fileText = readFileSync(filePath, "utf8");
  const formatted = formatter.formatText({ filePath, fileText });
  if (formatted === fileText) continue;
  if (!isCheck) writeFileSync(filePath, formatted);
  console.error(`${isCheck ? "not formatted" : "formatted"}: ${filePath}`);
  if (isCheck) process.exitCode = 1;
}
