import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { en } from '../src/lib/words/en.ts'
import { zh } from '../src/lib/words/zh-CN.ts'

type Said = string | ((...values: never[]) => string)

// leaves are all texts of a catalogue by their paths; a function is asked with figures and with words.
function leaves(part: object, path = ''): [string, string][] {
  return Object.entries(part as Record<string, Said | object>).flatMap(([key, value]): [string, string][] => {
    const at = `${path}.${key}`
    if (typeof value === 'string') return [[at, value]]
    if (typeof value === 'function') {
      const says = value as (...v: unknown[]) => string
      return [[at, path === '.refused' ? says({ state: 'x', seconds: 3 }) : says(1, 2, 3)], [at, path === '.refused' ? says({}) : says(3, 4, 5)]]
    }
    return leaves(value, at)
  })
}

test('both catalogues have the same keys', () => {
  assert.deepEqual(leaves(en).map(([at]) => at), leaves(zh).map(([at]) => at))
})

test('no text is empty but where nothing is to be said', () => {
  for (const words of [zh, en]) {
    const empty = leaves(words).filter(([, text]) => text.trim() === '').map(([at]) => at)
    assert.deepEqual(empty, ['.thenState.', '.bar.nobody'])
  }
})

test('no Chinese in the English catalogue, and no punctuation of the other script in the Chinese one', () => {
  for (const [at, text] of leaves(en)) assert.doesNotMatch(text, /\p{Script=Han}|[，。：；？（）]/u, at)
  for (const [at, text] of leaves(zh)) assert.doesNotMatch(text, /\p{Script=Han}[,:;?!]|[,:;?!]\p{Script=Han}/u, at)
})

test('one word for one thing, also where a phone or the README says it', () => {
  const others = /坐席|请教|上线|下线/
  for (const [at, text] of leaves(zh)) assert.doesNotMatch(text, others, at)
  assert.doesNotMatch(readFileSync('../../README.zh-CN.md', 'utf8'), others)
})

test('no page puts the marks of one language between the words of another', () => {
  for (const f of ['components', 'pages'].flatMap((d) => readdirSync(`src/${d}`).map((f) => `src/${d}/${f}`)).filter((f) => f.endsWith('.svelte'))) {
    const [, ...rest] = readFileSync(f, 'utf8').replace(/<style>[^]*<\/style>/, '').split('</script>')
    assert.doesNotMatch(rest.join(''), /\}[:;,] ?\$?\{/, f)
  }
})

test('no text names a value it was not given', () => {
  for (const words of [zh, en]) for (const [at, text] of leaves(words)) assert.doesNotMatch(text, /undefined|null|NaN|\[object/, at)
})
