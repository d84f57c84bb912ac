// A service that is played, to look at the pages without a telephone: `npm run mock`, then http://127.0.0.1:8089/. Which
// scene is played stands in the cookie `scene` (/mock/NAME sets it); scenes.mjs has them. It serves what is built, with
// the headers of the real one, so that what the content security policy forbids is seen here first.
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WebSocketServer } from 'ws'
import { phrases, scenes, targets, forms, history, served, rules } from './scenes.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const dist = join(here, '../dist')
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' }
const pages = ['/', '/desk', '/floor', '/wall', '/manager', '/call', '/sign-in']

const sceneOf = (request) => {
  const name = /(?:^|; )scene=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? 'talking'
  return (scenes[name] ?? scenes.talking)()
}

export function serve(port = 0) {
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://mock')
    response.setHeader('Content-Security-Policy',
      `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; media-src 'self' blob:; connect-src 'self' ws://${request.headers.host}; frame-ancestors 'none'; base-uri 'none'; form-action 'self'`)
    if (url.pathname.startsWith('/mock/')) {
      response.writeHead(303, { 'Set-Cookie': `scene=${url.pathname.slice(6)}; Path=/`, Location: '/' }).end()
    } else if (url.pathname.startsWith('/api/v1/')) {
      api(request, response, url)
    } else {
      file(response, url.pathname)
    }
  })
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'hotline.1' })
  server.on('upgrade', (request, socket, head) => {
    const scene = sceneOf(request)
    if (scene.away) socket.destroy()
    else sockets.handleUpgrade(request, socket, head, (ws) => line(ws, scene))
  })
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve({ server, port: server.address().port })))
}

function file(response, path) {
  if (path === '/fake-line.js') {
    response.setHeader('Content-Type', types['.js'])
    response.end(readFileSync(join(here, 'fake-line.js')))
    return
  }
  const name = pages.includes(path) ? 'index.html' : normalize(path)
  try {
    let text = readFileSync(join(dist, name))
    // The other end of a line is played in the page, unless a real gateway is before this (REAL=1).
    if (name === 'index.html' && !process.env.REAL) text = text.toString().replace('<head>', '<head><script src="/fake-line.js"></script>')
    response.setHeader('Content-Type', types[extname(name)] ?? 'application/octet-stream')
    response.end(text)
  } catch {
    response.writeHead(404).end()
  }
}

function api(request, response, url) {
  const scene = sceneOf(request)
  const path = url.pathname.slice('/api/v1'.length)
  const json = (body, status = 200, headers = {}) => {
    response.writeHead(status, { 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json', ...headers })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  }
  const problem = (status, code, values) => json({ type: `urn:hotline:${code}`, title: code, status, detail: code, values }, status)

  const asked = `${request.method} ${path}`
  if (asked === 'GET /session') return scene.me ? json(scene.me) : problem(401, 'token')
  if (asked === 'POST /session') return problem(401, 'credentials')
  if (asked === 'GET /session/ways') return json({ password: true, sso: true })
  if (asked === 'DELETE /session') return json(undefined, 204)
  if (asked === 'GET /desk/signal') return scene.away ? request.socket.destroy() : json({ code: 'no-subprotocol' }, 400)
  if (asked === 'GET /desk') return json(scene.desk)
  if (asked === 'GET /phrases') return json({ phrases })
  if (asked === 'GET /desk/forms') return json(forms)
  if (asked === 'GET /desk/directory') return json({ targets })
  if (asked === 'GET /desk/calls') return json({ calls: scene.empty ? [] : served() })
  if (asked === 'GET /desk/history') return json(scene.empty ? { number: '', calls: [], more: 0 } : history())
  if (asked === 'POST /desk/ticket' || asked === 'POST /call/ticket') return scene.away ? request.socket.destroy() : json({ ticket: 'TICKET', until: new Date().toISOString() })
  if (asked === 'POST /desk/state' || asked === 'POST /desk/wrap-up' || asked === 'POST /desk/do') return json(scene.desk)
  if (path.startsWith('/desk/notes/')) return json(request.method === 'PUT' ? {} : scene.notes ?? null)
  if (/^\/queues\/\w+$/.test(path)) return json(rules, 200, { ETag: '"1"' })
  if (path.endsWith('/monitor')) return json(undefined, 204)
  if (path.endsWith('/state')) return json({})
  if (path === '/live') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    response.write(`retry: 1000\n\nevent: whole\nid: a-1\ndata: ${JSON.stringify(url.searchParams.get('view') === 'desk' ? scene.desk : scene.floor)}\n\n`)
    return
  }
  problem(404, 'no-resource')
}

// The service's side of the signalling, as far as looking at pages needs it.
function line(ws, scene) {
  let seq = 0
  const say = (frame) => ws.send(JSON.stringify({ ...frame, seq: ++seq }))
  ws.on('message', (data) => {
    const frame = JSON.parse(data)
    if (frame.type === 'hello') {
      ws.send(JSON.stringify({ type: 'welcome', session: 'S', resumed: false, last: 0, ice: [] }))
      if (scene.desk) say({ type: 'desk', desk: scene.desk })
      if (scene.taken) {
        say({ type: 'taken-over' })
        ws.close(4409)
      }
      return
    }
    if (frame.type === 'ack') return
    ws.send(JSON.stringify({ type: 'ack', seq: frame.seq }))
    if (frame.type === 'offer') say({ type: 'answer', sdp: frame.sdp })
    if (frame.type === 'do') {
      if (scene.refuse) say({ type: 'refused', about: 'do', id: frame.id, ...scene.refuse })
      else say({ type: 'done', id: frame.id })
    }
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { port } = await serve(8089)
  console.log(`http://127.0.0.1:${port}/mock/talking and: ${Object.keys(scenes).join(' ')}`)
}
