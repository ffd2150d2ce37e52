// What no test sees when it is wrong: names that nothing defines, and what nobody uses.
import globals from "globals";

const rules = {
  "no-undef": "error",
  "no-unused-vars": ["error", { args: "after-used", argsIgnorePattern: "^_", caughtErrors: "none", ignoreRestSiblings: true }],
  "no-unreachable": "error",
  "no-dupe-keys": "error",
  "no-const-assign": "error",
  "no-import-assign": "error",
  "no-self-assign": "error",
  "no-unused-private-class-members": "error",
  "constructor-super": "error",
  "no-this-before-super": "error",
  "valid-typeof": "error",
};

export default [
  { ignores: ["dist/", "test/browser/pthreads/"] },
  { files: ["**/*.js", "**/*.mjs"], languageOptions: { ecmaVersion: "latest", globals: { ...globals.node, ...globals.browser } }, rules },
  // Classic scripts, which share a scope.
  { files: ["test/browser/pages/*.js"], languageOptions: { globals: { importScripts: "readonly", run: "writable" } }, rules: { "no-unused-vars": "off" } },
  { files: ["**/*.cjs"], languageOptions: { ecmaVersion: "latest", sourceType: "commonjs", globals: { ...globals.node, ...globals.browser } }, rules },
];
