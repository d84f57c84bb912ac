import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'baseline-widely-available',
    // The pages are served under a content security policy without inline code or data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // A few files that are loaded together, since many small ones are packed worse and asked for one by one.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'base', test: /node_modules|src\/(main|App|lib\/(api|app|clock|format|live|words\/index)|components\/(Elapsed|Mark|Menu|Notice))\./ },
            { name: 'line', test: /src\/(lib\/(caller|ledger|level|phone|signal)|components\/(Keypad|Level))\./ },
            { name: 'pinyin', test: /src\/lib\/pinyin\./ },
            { name: 'later', test: /src\/components\/(later|HangUp|Picker|WrapUp)\./ },
            { name: 'talk', test: /src\/(lib\/(acts|bar|desk|drafts|sound)|components\/(Acts|Bar|Customer|Held|HoldRing|Notes|Rings))\./ },
          ],
        },
      },
    },
  },
  server: { proxy: { '/api': { target: 'http://127.0.0.1:8080', ws: true } } },
})
