// Asking the service over HTTP. A refusal becomes a Refusal with the code that words/ turns into a sentence; no answer at
// all becomes the code "no-network".

export const root = '/api/v1'

export class Refusal extends Error {
  readonly code: string
  readonly status: number
  readonly detail: string
  readonly field: string
  readonly values: Record<string, unknown>

  constructor(code: string, status = 0, detail = '', field = '', values: Record<string, unknown> = {}) {
    super(detail || code)
    this.code = code
    this.status = status
    this.detail = detail
    this.field = field
    this.values = values
  }

  /** final says that the service has answered, and would answer the same again: no network or a restart is to blame. */
  get final(): boolean { return this.status >= 400 && this.status < 500 && this.status !== 429 }
}

/** refusalOf reads problem details (RFC 9457); what is none of them keeps its status as the code. */
export function refusalOf(status: number, body: unknown): Refusal {
  if (typeof body !== 'object' || body === null) return new Refusal(`http-${status}`, status)
  const p = body as Record<string, unknown>
  const code = typeof p.code === 'string' ? p.code : String(p.type ?? '').replace(/^urn:hotline:/, '')
  const values = typeof p.values === 'object' && p.values !== null ? (p.values as Record<string, unknown>) : {}
  return new Refusal(code || `http-${status}`, status, String(p.detail ?? ''), String(p.field ?? ''), values)
}

export interface Answer<T> { body: T; etag: string }

type Fetch = typeof fetch

/** Whoever has heard nothing for so long (ms) is told that there is no network: after a change of it nothing else may ever come. */
const patience = 15_000

const within = (signal?: AbortSignal) => AbortSignal.any([AbortSignal.timeout(patience), ...(signal ? [signal] : [])])

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

export class Api {
  /** signedOut is called when the service no longer knows who asks. */
  signedOut: () => void = () => {}
  readonly #fetch: Fetch

  constructor(fetcher: Fetch = (...a) => fetch(...a)) {
    this.#fetch = fetcher
  }

  async ask<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}, keepalive = false, signal?: AbortSignal): Promise<Answer<T>> {
    const init: RequestInit = { method, headers: { Accept: 'application/json', ...headers }, credentials: 'same-origin', keepalive, signal: within(signal) }
    if (body !== undefined) {
      init.headers = { ...init.headers, 'Content-Type': 'application/json' }
      init.body = JSON.stringify(body)
    }
    let response: Response
    let content: unknown = null
    try {
      response = await this.#fetch(root + path, init)
      // An answer that is cut off, or ends too late, is none; what is no JSON may be a proxy's page.
      content = parsed(await response.text())
    } catch {
      throw new Refusal('no-network')
    }
    if (!response.ok) {
      const refusal = refusalOf(response.status, content)
      if (response.status === 401 && path !== '/session') this.signedOut()
      throw refusal
    }
    return { body: content as T, etag: response.headers.get('ETag') ?? '' }
  }

  async get<T>(path: string): Promise<T> { return (await this.ask<T>('GET', path)).body }
  async post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    return (await this.ask<T>('POST', path, body, {}, false, signal)).body
  }
  async put<T>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<T> {
    return (await this.ask<T>('PUT', path, body, headers)).body
  }
}

export const api = new Api()
