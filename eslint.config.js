/**
 * Lint rules. The layer rules are the architecture: renderer → contracts only; main → app → mta; mta → nothing above it;
 * contract folders are pure. test/layers.test.ts shows that a forbidden import fails here.
 */
import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

/** By regular expression: in a `group` pattern a leading # would begin a comment, and the rule would match nothing. */
const forbid = (...patterns) => ({
  'no-restricted-imports': ['error', { patterns: patterns.map(([regex, message]) => ({ regex, message })) }],
});
const electron = ['^electron(/|$)', 'Only main/ imports electron.'];
const ssh = ['^(node-ssh|ssh2)(/|$)', 'Only app/ssh imports SSH libraries.'];
const node = ['^(node:|(fs|path|os|net|http|child_process)$)', 'This folder runs without Node.'];
/** A top folder, by its #name or by climbing out of one's own; `but` is what of it may be imported. */
const folders = (names, message, but = '') => [`^(#|(\\.\\./)+)(${names.join('|')})/${but}`, message];
const notContract = '(?!contract/)';

export default ts.config(
  { ignores: ['dist/', 'out/', '.cache/', 'test-results/', 'playwright-report/', 'coverage/'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.node } },
    rules: {
      'no-undef': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-dynamic-delete': 'off',
      '@typescript-eslint/unified-signatures': 'off',
      'no-console': 'error',
      eqeqeq: 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.name=/^(exec|execSync)$/], CallExpression[callee.property.name='execSync']",
          message: 'Run programs by argv (spawn, execFile), never by a command string.',
        },
      ],
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: {
      parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'] },
      globals: globals.browser,
    },
  },
  {
    files: ['mta/**/*.ts'],
    rules: forbid(folders(['app', 'main', 'renderer', 'test'], 'mta/ knows nothing above it.'), electron, ssh),
  },
  {
    files: ['app/**/*.ts'],
    ignores: ['app/ssh/**'],
    rules: forbid(folders(['main', 'renderer', 'test'], 'app/ may import mta/ only.'), electron, ssh),
  },
  {
    files: ['mta/contract/**/*.ts', 'app/contract/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: forbid(['^(\\.\\./|#(?!(mta|app)/contract/))', 'A contract imports contracts only.'], electron, ssh, node),
  },
  {
    files: ['main/**/*.ts'],
    rules: forbid(
      folders(['renderer', 'test'], 'main/ imports app/ only.'),
      folders(['mta'], 'main/ reaches the MTA through app/.', notContract),
      ssh,
    ),
  },
  {
    files: ['renderer/**/*.ts', 'renderer/**/*.svelte'],
    ignores: ['renderer/vite.config.ts', 'renderer/testing/**', 'renderer/**/*.test.ts'],
    rules: forbid(
      folders(['main', 'test'], 'renderer/ imports contracts only.'),
      folders(['app', 'mta'], 'renderer/ imports contracts only.', notContract),
      electron,
      ssh,
      node,
    ),
  },
);
