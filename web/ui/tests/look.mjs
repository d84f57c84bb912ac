// Looks at every page in every scene, language, width and light in Debian's Chromium: takes pictures, and fails where
// axe finds something serious, something overflows, words of the other language show, or the browser complains.
//
//   npm run look -- DIR [scene…]      pictures go to DIR
//
// QUICK=1 looks at each view twice only: in Chinese on a wide light page, in English on a narrow dark one. MAIN=1 is for
// pictures to show: the views one sees every day, by daylight.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { serve } from './mock.mjs'

const [dir = '.build/looks', ...only] = process.argv.slice(2)
mkdirSync(dir, { recursive: true })
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

// What is looked at: address, scene, and what is done first.
const F = (key) => (page) => page.keyboard.press(key)
const views = [
  ['sign-in', '/sign-in', 'signed-out'],
  ['sign-in-wrong', '/sign-in', 'signed-out', async (page) => {
    await page.fill('input[name=username]', 'kf789')
    await page.fill('input[name=password]', 'wrong')
    await page.keyboard.press('Enter')
    await page.waitForFunction(() => document.querySelector('[role=alert]')?.textContent)
  }],
  ['desk-check', '/desk', 'check', null, { untested: true }],
  ['desk-idle', '/desk', 'idle'],
  ['desk-first', '/desk', 'first'],
  ['desk-ringing', '/desk', 'ringing'],
  ['desk-talking', '/desk', 'talking'],
  ['desk-muted', '/desk', 'muted'],
  ['desk-hold', '/desk', 'hold'],
  ['desk-consult', '/desk', 'talking', async (page) => {
    await page.keyboard.press('F6')
    await page.waitForSelector('#picks [role=option]')
  }],
  ['desk-consulting', '/desk', 'consulting'],
  ['desk-three-way', '/desk', 'three-way'],
  ['desk-keypad', '/desk', 'talking', async (page) => {
    await page.keyboard.press('F9')
    await page.keyboard.press('1')
    await page.keyboard.press('0')
  }],
  ['desk-hang-up', '/desk', 'talking', F('F10')],
  ['desk-wrap-up', '/desk', 'wrap-up'],
  ['desk-away', '/desk', 'away', (page) => page.waitForSelector('.bar')],
  ['desk-taken', '/desk', 'taken', (page) => page.waitForSelector('.bar')],
  ['desk-audio-lost', '/desk', 'talking', (page) => page.waitForSelector('.bar'), { cookie: 'line=lost' }],
  ['floor', '/floor', 'floor'],
  ['floor-agent', '/floor?agent=1001', 'floor'],
  ['floor-rules', '/floor?queue=service', 'floor', (page) => page.waitForSelector('fieldset')],
  ['floor-quiet', '/floor', 'floor-quiet'],
  ['wall', '/wall', 'wall'],
  ['wall-quiet', '/wall', 'wall-quiet'],
  ['manager', '/manager', 'manager'],
  ['manager-ringing', '/manager', 'manager-ringing'],
  ['manager-talking', '/manager', 'manager-talking'],
  ['call', '/call', 'signed-out'],
  ['call-talking', '/call', 'signed-out', async (page) => {
    await page.click('button.start')
    await page.waitForSelector('button.end')
  }],
]
const main = ['sign-in', 'desk-idle', 'desk-ringing', 'desk-talking', 'desk-hold', 'desk-consult', 'desk-wrap-up', 'floor', 'floor-rules', 'wall', 'manager-ringing', 'call', 'call-talking']
const looks = views.filter(([name]) => only.length === 0 || only.some((o) => name.startsWith(o))).filter(([name]) => process.env.MAIN !== '1' || main.includes(name))

const sizes = [[1280, 720], [390, 844]]
const quick = process.env.QUICK === '1'
const lights = process.env.MAIN === '1' ? ['light'] : ['light', 'dark']
const languages = ['zh-CN', 'en']

const { server, port } = await serve()
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream', '--autoplay-policy=no-user-gesture-required'],
})
const wrong = []
let looked = 0
for (const [name, address, scene, first, options = {}] of looks) {
  for (const language of languages) {
    for (const [width, height] of sizes) {
      for (const light of lights) {
        if (quick && [language === 'en', width < 600, light === 'dark'].some((x, _, all) => x !== all[0])) continue
        const at = `${name}-${language}-${width}-${light}`
        const context = await browser.newContext({ viewport: { width, height }, colorScheme: light, locale: language, timezoneId: 'Asia/Shanghai' })
        const base = `http://127.0.0.1:${port}`
        await context.addCookies([{ name: 'scene', value: scene, url: base }, ...(options.cookie ? [{ name: options.cookie.split('=')[0], value: options.cookie.split('=')[1], url: base }] : [])])
        await context.addInitScript(([untested, language]) => {
          if (!untested) localStorage.setItem('hotline.tested', '1')
          localStorage.setItem('hotline.language', language)
        }, [options.untested ?? false, language])
        const page = await context.newPage()
        page.on('pageerror', (e) => wrong.push(`${at}: ${e.message}`))
        page.on('console', (m) => { if (m.type() === 'error' && !/40[14]|ERR_EMPTY_RESPONSE|WebSocket/.test(m.text())) wrong.push(`${at}: ${m.text()}`) })
        try {
          await page.goto(base + address)
          await page.waitForSelector('main')
          await page.waitForTimeout(500)
          if (first) await first(page)
          await page.waitForTimeout(150)
        } catch (e) {
          wrong.push(`${at}: ${e.message.split('\n')[0]}`)
        }
        await page.screenshot({ path: join(dir, `${at}.png`), fullPage: width < 600 })
        for (const w of await page.evaluate(overflow)) wrong.push(`${at}: overflows: ${w}`)
        if (language === 'en') for (const w of await page.evaluate(chinese)) wrong.push(`${at}: not translated: ${w}`)
        if (light === 'light' || width > 600) {
          await page.evaluate(axe)
          const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
          for (const v of violations) if (['serious', 'critical', 'moderate'].includes(v.impact)) wrong.push(`${at}: ${v.impact} ${v.id}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 3).join(', ')}: ${v.nodes[0].failureSummary?.split('\n')[1] ?? ''}`)
        }
        looked++
        await context.close()
      }
    }
  }
}
await browser.close()
server.closeAllConnections()
server.close()
console.log(`${looked} looks, pictures in ${dir}`)
for (const w of new Set(wrong)) console.log(w)
process.exitCode = wrong.length ? 1 : 0

// Runs in the page: what is wider than the page, or than a place that neither scrolls nor cuts with dots.
function overflow() {
  const out = []
  if (document.documentElement.scrollWidth > innerWidth + 1) out.push(`the page, ${document.documentElement.scrollWidth} of ${innerWidth}`)
  for (const e of document.querySelectorAll('body *')) {
    const style = getComputedStyle(e)
    if (e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1 && style.overflowX === 'visible' && style.display !== 'inline' && !e.closest('svg') && !e.closest('.hidden')) {
      out.push(`${e.tagName.toLowerCase()}.${e.className} "${e.textContent.trim().slice(0, 30)}" ${e.scrollWidth} of ${e.clientWidth}`)
    }
  }
  return out
}

// Runs in the page: Chinese in the English page that is none of the operator's own names.
function chinese() {
  const own = /客服|人工服务|故障|账单|投诉|咨询|网络报修|抢修班|主管|值班经理|装维|北京|朝阳|昨晚|报修后|中文|地址|发生时间|户号|账期|事由|诉求|光猫/
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const out = []
  for (let n = walker.nextNode(); n; n = walker.nextNode()) {
    const text = n.textContent.trim()
    if (/\p{Script=Han}/u.test(text) && !own.test(text)) out.push(text.slice(0, 40))
  }
  return out
}
