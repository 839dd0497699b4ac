// Lets node load the front end as the browser gets it: Python puts the looks in place of the module looks.js.
import { execFileSync } from "node:child_process";
import { registerHooks } from "node:module";

const ASK = "from calamity_lab.widgets.front_end import looks_script; print(looks_script())";
const looks = execFileSync(process.env.PYTHON ?? "python", ["-c", ASK], { encoding: "utf8" });

registerHooks({
  load(url, context, next) {
    if (!url.endsWith("/widgets/looks.js")) return next(url, context);
    return { format: "module", source: `export ${looks}`, shortCircuit: true };
  },
});
