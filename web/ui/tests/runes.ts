// Compiles the modules that use runes as a server would run them, with state and without effects. tsc has made .build of the
// sources before.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { compileModule } from 'svelte/compiler'

const built = '.build/src'
for (const file of readdirSync(built, { recursive: true, encoding: 'utf8' })) {
  if (!file.endsWith('.svelte.js')) continue
  const path = `${built}/${file}`
  writeFileSync(path, compileModule(readFileSync(path, 'utf8'), { filename: path, generate: 'server' }).js.code)
}
