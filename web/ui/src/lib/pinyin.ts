// Finding a Chinese name by the first letters of its pinyin, without a dictionary: the browser's Chinese collation is
// the order of pinyin, so a character begins with the letter whose first character it does not come before.

const firsts = '阿八嚓哒妸发旮哈讥咔垃妈拏噢妑七呥仨他穵夕丫帀'
const letters = 'abcdefghjklmnopqrstwxyz'
const order = new Intl.Collator('zh-Hans-CN')

// Characters whose other reading is the one that people mean in names of topics, queues and places.
const otherwise: Record<string, string> = { 长: 'c', 重: 'c', 行: 'h', 厦: 'x', 单: 'd', 会: 'h', 调: 'd', 曾: 'z', 系: 'x', 降: 'j' }

/** initial is the letter a character's pinyin begins with; "" where it is no Chinese character. */
export function initial(character: string): string {
  if (!/^\p{Script=Han}$/u.test(character)) return ''
  const known = otherwise[character]
  if (known) return known
  let found = ''
  for (let i = 0; i < letters.length; i++) {
    if (order.compare(character, firsts[i]!) < 0) break
    found = letters[i]!
  }
  return found
}

/** initials are those of a text: 账单问题 is zdwt; letters and figures stand for themselves. */
export function initials(text: string): string {
  let out = ''
  for (const c of text.toLowerCase()) out += initial(c) || (/[a-z0-9]/.test(c) ? c : '')
  return out
}

const firstLetters = (text: string) => text.toLowerCase().split(/[^\p{L}\p{N}]+/u).map((w) => w[0] ?? '').join('')

/**
 * match says how well a text answers to what was typed, smaller is better; -1: it does not. What begins so is before
 * what has it inside, as it is written before the initials.
 */
export function match(typed: string, ...texts: string[]): number {
  const want = typed.trim().toLowerCase().replace(/\s+/g, '')
  if (want === '') return 0
  let best = -1
  const better = (rank: number) => { if (best < 0 || rank < best) best = rank }
  for (const text of texts) {
    const plain = text.toLowerCase().replace(/\s+/g, '')
    const short = initials(text)
    if (plain.startsWith(want)) better(1)
    else if (short.startsWith(want) || firstLetters(text).startsWith(want)) better(2)
    else if (plain.includes(want)) better(3)
    else if (short.includes(want)) better(4)
  }
  return best
}

/** filter keeps what answers to what was typed, the best first and otherwise in their order. */
export function filter<T>(typed: string, items: readonly T[], texts: (item: T) => string[]): T[] {
  return items
    .map((item, at) => ({ item, at, rank: match(typed, ...texts(item)) }))
    .filter((m) => m.rank >= 0)
    .sort((a, b) => a.rank - b.rank || a.at - b.at)
    .map((m) => m.item)
}
