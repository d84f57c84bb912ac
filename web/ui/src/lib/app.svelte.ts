// What all pages share: who is signed in, which page, what time it is at the service, and the one notice at the bottom.

import { api, Refusal } from './api.ts'
import { Clock } from './clock.ts'
import { zoneOf } from './format.ts'
import type { Me, Resource, Role } from './types.ts'
import { chosen, known, speak, why } from './words/index.svelte.ts'

export type Page = 'desk' | 'floor' | 'wall' | 'manager'
export const pages: readonly Page[] = ['desk', 'floor', 'wall', 'manager']

// What a page shows, as the service's table of access names it.
const shows: Record<Page, Resource> = { desk: 'own desk', floor: 'floor', wall: 'wall', manager: 'own desk' }

export interface Notice { text: string; bad: boolean; undo?: () => void }

const themes = ['auto', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]
const keptTheme = 'hotline.theme'

class App {
  readonly clock = new Clock()
  /** me is who is signed in; null: nobody; undefined: the service has not said yet. */
  me = $state<Me | null | undefined>(undefined)
  /** Why the service has not said who is signed in. */
  silent = $state<unknown>(null)
  /** busy says that somebody would be cut off if this page went away; a page with a line says so. */
  busy: () => boolean = () => false
  /** leave is what a page does before somebody signs out. */
  leave: () => Promise<void> = async () => {}
  #expired = false
  /** now is the service's time, four times a second. */
  now = $state(Date.now())
  /** zone is the service's, in which its moments are shown. */
  readonly zone = $derived(zoneOf(this.me?.timezone))
  path = $state(location.pathname)
  query = $state(location.search)
  notice = $state<Notice | null>(null)
  theme = $state<Theme>('auto')
  #noticed: ReturnType<typeof setTimeout> | undefined

  constructor() {
    setInterval(() => { this.now = this.clock.now() }, 250)
    addEventListener('popstate', () => this.#look())
    api.signedOut = () => {
      this.#expired = true
      if (this.busy()) this.sorry(new Refusal('session'))
      else this.free()
    }
    // A page that is open is somebody who is there: the session must not end in a quiet hour.
    setInterval(() => { if (this.me) void api.get('/session').catch(() => {}) }, 5 * 60_000)
    const theme = localStorage.getItem(keptTheme)
    this.show(themes.find((t) => t === theme) ?? 'auto')
  }

  get page(): Page | null { return pages.find((p) => this.path === `/${p}`) ?? null }

  can(what: Resource): boolean { return this.me?.may.includes(what) ?? false }
  is(role: Role): boolean { return this.me?.roles.includes(role) ?? false }

  /** may says which pages are somebody's: those whose figures they may see. A desk needs an agent's line. */
  may(page: Page): boolean {
    if (!this.can(shows[page])) return false
    if (page === 'desk') return this.me?.agent !== '' && this.is('agent')
    return page !== 'manager' || this.is('duty_manager')
  }

  /** home is where somebody works. */
  home(): Page {
    return (['desk', 'manager', 'floor'] as const).find((p) => this.may(p)) ?? 'wall'
  }

  go(address: string, replace = false): void {
    if (replace) history.replaceState(null, '', address)
    else history.pushState(null, '', address)
    this.#look()
  }

  /** ask reads who is signed in; null: nobody. */
  async ask(): Promise<void> {
    try {
      await this.#met(await api.get<Me>('/session'))
      this.silent = null
    } catch (error) {
      if (error instanceof Refusal && error.status >= 400 && error.status < 500) {
        this.me = null
        return
      }
      this.silent = error
      setTimeout(() => void this.ask(), 2000)
    }
  }

  /** free lets a session that ended during a talk end here too, once nobody is cut off by it. */
  free(): void {
    if (!this.#expired) return
    this.#expired = false
    this.me = null
  }

  async signIn(account: string, password: string): Promise<void> {
    await this.#met(await api.post<Me>('/session', { account, password }))
  }

  async signOut(): Promise<void> {
    if (this.busy()) {
      this.sorry(new Refusal('talking'))
      return
    }
    try {
      await this.leave()
      await api.ask('DELETE', '/session')
    } catch (error) {
      if (!(error instanceof Refusal && error.final)) { // the session lives on, and nothing may look as if it did not
        this.sorry(error)
        return
      }
    }
    this.me = null
    this.go('/sign-in')
  }

  show(theme: Theme): void {
    this.theme = theme
    if (theme === 'auto') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = theme
    localStorage.setItem(keptTheme, theme)
  }

  /** tell shows a notice for a while. */
  tell(text: string, undo?: () => void): void { this.#tell(undo ? { text, bad: false, undo } : { text, bad: false }, undo ? 8000 : 3000) }

  /** sorry shows why something was not done. */
  sorry(error: unknown): void {
    if (error instanceof Refusal && error.status === 401) return // the sign-in page says so
    this.#tell({ text: why(error), bad: true }, 6000)
  }

  #tell(notice: Notice, ms: number): void {
    clearTimeout(this.#noticed)
    this.notice = notice
    this.#noticed = setTimeout(() => { this.notice = null }, ms)
  }

  async #met(me: Me): Promise<void> {
    // Where nobody has chosen a language on this machine, it is the account's.
    if (!localStorage.getItem('hotline.language')) await speak(known(me.language) ?? chosen())
    this.me = me
    if (!this.page || !this.may(this.page)) this.go(`/${this.home()}`, true)
  }

  #look(): void {
    if (this.busy() && location.pathname !== this.path) {
      history.pushState(null, '', this.path + this.query) // the way back would have cut the caller off
      return
    }
    this.path = location.pathname
    this.query = location.search
  }
}

export const app = new App()
