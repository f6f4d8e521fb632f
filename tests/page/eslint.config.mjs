// Lint rules for the page and its tests. static.test.mjs runs them from the project's directory.

import globals from "globals";

const rules = {
    "eqeqeq": ["error", "always", { null: "ignore" }],
    "no-cond-assign": "error",
    "no-const-assign": "error",
    "no-dupe-keys": "error",
    "no-duplicate-imports": "error",
    "no-implicit-coercion": "error",
    "no-implicit-globals": "error",
    "no-self-assign": "error",
    "no-throw-literal": "error",
    "no-undef": "error",
    "no-unreachable": "error",
    "no-unused-private-class-members": "error",
    "no-unused-vars": "error",
    "no-useless-return": "error",
    "no-var": "error",
    "object-shorthand": "error",
    "prefer-const": "error",
    "prefer-template": "error",
};

export default [
    { ignores: ["**/node_modules/", "**/*.ts"] },
    { linterOptions: { reportUnusedDisableDirectives: "error" } },
    { files: ["www/**/*.js"], languageOptions: { globals: globals.browser }, rules },
    // Tests contain functions that run in the page.
    { files: ["tests/page/*.mjs"], languageOptions: { globals: { ...globals.node, ...globals.browser } }, rules },
];
