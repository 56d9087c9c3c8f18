/** Svelte in runes mode only; styles go into files, because the page's policy allows no inline style. */
export default {
  compilerOptions: { runes: true, css: 'external' },
  vitePlugin: {
    dynamicCompileOptions: ({ filename }) => (filename.includes('node_modules') ? { runes: undefined } : undefined),
  },
};
