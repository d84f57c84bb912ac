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
            { name: 'base', test: /node_modules|src\/(main|App|lib\/(api|app|clock|format|words\/index)|components\/(Menu|Notice))\./ },
            { name: 'line', test: /src\/(lib\/(caller|ledger|level|phone|signal)|components\/(Keypad|Level))\./ },
            { name: 'talk', test: /src\/(lib\/(acts|bar|desk|drafts|live|pinyin|sound)|components\/(Acts|Bar|Customer|Elapsed|HangUp|Held|HoldRing|Mark|Notes|Picker|Rings|WrapUp))\./ },
          ],
        },
      },
    },
  },
  server: { proxy: { '/api': { target: 'http://127.0.0.1:8080', ws: true } } },
})
